"""Text to speech, in both dialects."""

from __future__ import annotations

from enum import Enum
from io import BytesIO
from numbers import Real
from typing import Any, AsyncIterator, Dict, List, Optional

from appfactory.errors import ErrorCodes, PluginError
from appfactory.plugin.audio import ASSUMED_FORMAT, join, samples_of, sniff
from appfactory.plugin.methods import Arguments, Method
from appfactory.plugin.schema import decode_base64
from appfactory.plugin.sentences import sentences_of
from appfactory.plugin.shipped.author import (
    Author,
    Closing,
    as_dict,
    listed,
    make_options,
    members_of,
    takes_dicts,
    without_none,
)
from appfactory.plugin.signature import annotation_of
from contracts.tts_contract import AudioFormat, SynthesisOptions

Values = Dict[str, Any]

# What authors call the audio of a result.
_AUDIO_KEYS = ("audio", "audio_data", "audio_b64", "audio_bytes")


def methods_of(author: Author) -> List[Method]:
    """The methods of a text-to-speech plugin."""
    speech = _Speech(author)
    return [
        author.method("synthesize", speech.synthesize),
        author.method("get_voices", speech.get_voices),
        author.method("get_voice_info", speech.get_voice_info),
        author.method("synthesize_stream", pieces=speech.synthesize_stream, joined=join_speech),
    ]


class _Speech:
    def __init__(self, author: Author) -> None:
        self.author = author
        self.plan = author.plan("synthesize", "synthesize", _options)
        self.voices = author.plan("get_voices", "get_voices")
        self.info = author.plan("get_voice_info", "get_voice_info") if author.has("get_voice_info") else None
        self.stream = (
            author.plan("synthesize_stream", "synthesize_stream", _options)
            if author.has("synthesize_stream")
            else None
        )
        parameter = self.stream.parameter_of("text") if self.stream else None
        self.takes_pieces = parameter is not None and "Async" in annotation_of(parameter)

    async def synthesize(self, arguments: Arguments, call: Any) -> Any:
        return await self._speak(arguments.values, arguments, call)

    async def _speak(self, values: Values, arguments: Arguments, call: Any) -> Values:
        args, named = self.plan.bind(values, arguments.warnings)
        try:
            speech = await call.invoke(self.plan.function, *args, **named)
        except ValueError as error:
            await self._check_voice(values.get("voice_id"), error, call)
            raise
        return describe_audio(speech, values, "synthesize")

    async def get_voices(self, arguments: Arguments, call: Any) -> Any:
        args, named = self.voices.bind({}, [])
        return listed(await call.invoke(self.voices.function, *args, **named), "get_voices", _voice)

    async def get_voice_info(self, arguments: Arguments, call: Any) -> Any:
        voice_id = arguments.values["voice_id"]
        if self.info is None:
            return await self._find_voice(voice_id, call)
        args, named = self.info.bind(arguments.values, arguments.warnings)
        try:
            found = await call.invoke(self.info.function, *args, **named)
        except ValueError as error:
            await self._check_voice(voice_id, error, call)
            raise
        return await self._find_voice(voice_id, call) if found is None else without_none(_voice(found))

    async def _find_voice(self, voice_id: str, call: Any) -> Values:
        voices = await self.get_voices(Arguments({}), call)
        for voice in voices:
            if voice.get("id") == voice_id:
                return dict(voice)
        raise _no_voice(voice_id, voices)

    async def _check_voice(self, voice_id: Optional[str], error: ValueError, call: Any) -> None:
        """A ValueError about a voice that is not listed tells that there is none."""
        if voice_id is None or isinstance(error, UnicodeError):
            return
        try:
            voices = await self.get_voices(Arguments({}), call)
        except Exception:
            return
        if all(voice.get("id") != voice_id for voice in voices):
            raise _no_voice(voice_id, voices) from error

    async def synthesize_stream(self, arguments: Arguments, call: Any) -> AsyncIterator[Any]:
        text = arguments.input or _once(arguments.values["text"])
        if self.stream is not None and (self.takes_pieces or not arguments.has_input):
            given = text if self.takes_pieces else arguments.values["text"]
            spoken = self._own_pieces({**arguments.values, "text": given}, arguments, call)
        else:
            spoken = self._by_sentence(text, arguments, call)
        async with Closing(spoken) as pieces:
            async for piece in pieces:
                yield piece

    async def _by_sentence(self, text: Any, arguments: Arguments, call: Any) -> AsyncIterator[Any]:
        async with Closing(sentences_of(text)) as sentences:
            async for sentence in sentences:
                values = {**arguments.values, "text": sentence}
                if self.stream is None:
                    yield {**await self._speak(values, arguments, call), "text": sentence}
                    continue
                async with Closing(self._own_pieces(values, arguments, call)) as pieces:
                    async for piece in pieces:
                        yield piece

    async def _own_pieces(self, values: Values, arguments: Arguments, call: Any) -> AsyncIterator[Any]:
        assert self.stream is not None
        args, named = self.stream.bind(values, arguments.warnings)
        async with Closing(call.iterate(self.stream.function, *args, **named)) as pieces:
            async for piece in pieces:
                yield describe_audio(piece, values, "synthesize_stream")


async def _once(text: str) -> AsyncIterator[str]:
    yield text


def _options(given: Values, warnings: List[str], annotation: str) -> Any:
    if takes_dicts(annotation):
        return as_dict(given)
    if "format" in given:
        name = "pcm" if given["format"] == "pcm_s16le" else given["format"]
        try:
            given["format"] = AudioFormat(name)
        except ValueError:
            known = ", ".join(each.value for each in AudioFormat)
            warnings.append(f"format: this plugin knows {known}, not {name}; it was ignored")
            del given["format"]
    if "pitch" in given:
        # On the wire 1 is normal, in SynthesisOptions 0.
        given["pitch"] -= 1
    return make_options(SynthesisOptions, given, warnings)


def _voice(voice: Any) -> Values:
    values = {"id": voice} if isinstance(voice, str) else members_of(voice)
    if values is None:
        raise TypeError(
            f"a voice must be a Voice, a dict or an id, not a value of type {type(voice).__name__}"
        )
    known = values.get("id", values.get("voice_id", values.get("name")))
    named = {"id": str(known), "name": str(values.get("name") or known)}
    return {**named, "language": "und", **values, **named}


def _no_voice(voice_id: str, voices: List[Values]) -> PluginError:
    known = [voice.get("id") for voice in voices]
    there = ", ".join(str(each) for each in known[:20])
    return PluginError(
        ErrorCodes.TTS_VOICE_NOT_FOUND,
        f'There is no voice "{voice_id}"; there is {there}' if known else f'There is no voice "{voice_id}"',
        {"voices": known},
    )


def describe_audio(speech: Any, asked: Values, wire: str) -> Values:
    """Whatever an engine returns as a result of the wire, completed by what the audio's header says."""
    try:
        told = _audio_of(speech)
    except ValueError as error:
        # A ValueError would tell the caller that the arguments are wrong.
        raise TypeError(f"{wire} returned audio that can't be read: {error}") from error
    if told is None:
        kind = "None" if speech is None else f"a value of type {type(speech).__name__}"
        raise TypeError(
            f"{wire} must return the bytes of a file, samples, a SynthesisResult or a dict with one of them "
            f"as its `audio`, not {kind}"
        )
    sniffed = sniff(told["audio_b64"])
    guess = {
        "format": asked.get("format", "pcm_s16le"),
        "sample_rate": asked.get("sample_rate", 24_000),
        "channels": 1,
    }
    result = {"audio_b64": told["audio_b64"], **(sniffed or guess), **told}
    if not sniffed and not ("format" in told and "sample_rate" in told):
        warnings = told.get("warnings")
        result["warnings"] = [*(warnings if isinstance(warnings, list) else []), ASSUMED_FORMAT]
    if result.get("voice_id") is None and asked.get("voice_id") is not None:
        result["voice_id"] = asked["voice_id"]
    if result["format"] == "pcm_s16le" and "duration_ms" not in result:
        second = 2 * result["sample_rate"] * result["channels"]
        if second > 0:
            result["duration_ms"] = round(len(result["audio_b64"]) * 1000 / second, 3)
    return result


def _audio_of(speech: Any) -> Optional[Values]:
    """What a result tells, with its audio as bytes; None where it has none."""
    if isinstance(speech, (bytes, bytearray, memoryview)):
        return {"audio_b64": bytes(speech)}
    if isinstance(speech, BytesIO):
        return {"audio_b64": speech.getvalue()}
    values = members_of(speech)
    if values is not None:
        return _audio_of_members(without_none(values))
    if isinstance(speech, tuple) and len(speech) == 2:
        # Engines return their samples with the rate, in either order.
        rate, sound = speech if isinstance(speech[0], Real) else (speech[1], speech[0])
        inner = _audio_of(sound) if isinstance(rate, Real) else None
        return inner and {**inner, "sample_rate": int(rate)}
    samples = samples_of(speech)
    return samples and {"audio_b64": samples[0], "format": "pcm_s16le", "channels": samples[1]}


def _audio_of_members(values: Values) -> Optional[Values]:
    key = next((each for each in _AUDIO_KEYS if each in values), None)
    if key is None:
        return None
    sound = values.pop(key)
    inner = {"audio_b64": decode_base64(sound)} if isinstance(sound, str) else _audio_of(sound)
    kind = values.get("format")
    if isinstance(kind, Enum):
        values["format"] = kind.value
    if str(values.get("format")).lower() in ("pcm", "raw"):
        values["format"] = "pcm_s16le"
    return inner and {**inner, **values}


def join_speech(pieces: List[Values]) -> Values:
    """All pieces of a stream as one result."""
    joined = join(pieces)
    warnings = list(dict.fromkeys(text for piece in pieces for text in piece.get("warnings", ())))
    words = _joined_words(pieces)
    usage: Dict[str, Any] = {}
    for piece in pieces:
        for key, value in (members_of(piece.get("usage")) or {}).items():
            if isinstance(value, (int, float)):
                usage[key] = usage.get(key, 0) + value
    more = {"words": words, "usage": usage, "warnings": warnings}
    return {**joined, **{key: value for key, value in more.items() if value}}


def _joined_words(pieces: List[Values]) -> List[Values]:
    words: List[Values] = []
    start = 0
    for piece in pieces:
        for word in piece.get("words") or ():
            words.append({**word, "start_ms": word["start_ms"] + start, "end_ms": word["end_ms"] + start})
        start += piece.get("duration_ms", 0)
    return words
