# ruff: noqa: E501
"""Speech to text in both dialects."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from conftest import Call, Maker

from appfactory.errors import PluginError

GUIDE = """
async def transcribe(self, audio: bytes, language: str = None) -> str:
    self.got = (audio, language)
    return "hello"

async def get_languages(self):
    return [{"code": "en", "name": "English"}]

async def start_stream(self):
    self.heard, self.ended = [], 0
    return "s1"

async def feed_audio(self, session_id, audio_chunk):
    self.heard.append((session_id, audio_chunk))
    return {"partial": audio_chunk.decode()}

async def end_stream(self, session_id):
    self.ended += 1
    return " ".join(chunk.decode() for _, chunk in self.heard)
"""

OLD = """
async def transcribe(self, audio_data, options=None):
    self.options = options
    segment = TranscriptionSegment("hello", 0, 10)
    return TranscriptionResult("hello", [segment], "en", 10)

async def start_streaming(self, config, callback=None):
    self.config, self._callback = config, callback
    return True

async def feed_audio(self, audio_chunk):
    await self._callback(TranscriptionSegment(audio_chunk.decode(), 0, 1))
    self._callback({"text": "more", "is_final": False})

async def stop_streaming(self):
    return None
"""


def test_the_guides_dialect(plugins: Maker) -> None:
    running = plugins.run_methods(GUIDE, "stt")
    assert running.call("transcribe", audio_b64="AQI=", language="de") == {"text": "hello"}
    assert running.instance.got == (b"\1\2", "de")
    assert running.call("get_languages") == [{"code": "en", "name": "English"}]
    assert running.call("start_stream") == {"session_id": "s1"}
    fed = running.call("feed_audio", session_id="s1", audio_b64="YQ==")
    assert fed == {"partial": "a", "final": None}
    assert running.call("end_stream", session_id="s1") == {"text": "a"}
    warned = running.call("transcribe", audio_b64="AQ==", temperature=1)
    assert warned["warnings"] == ["temperature: this plugin does not support it; it was ignored"]


def test_the_guides_sessions_carry_a_stream(plugins: Maker) -> None:
    running = plugins.run_methods(GUIDE, "stt")
    pieces = running.stream("transcribe_stream", items=["YQ==", b"b"], audio_b64={"$input": True})
    assert pieces == [
        {"partial": "a", "final": None},
        {"partial": "b", "final": None},
        {"partial": None, "final": "a b"},
    ]
    assert running.call("transcribe_stream", audio_b64="YQ==") == {"text": "a"}


def test_an_abandoned_stream_ends_its_session(plugins: Maker) -> None:
    running = plugins.run_methods(GUIDE, "stt")

    async def leave() -> None:
        method = running.plugin.find("transcribe_stream")
        arguments = method.decode({"audio_b64": {"$input": True}})
        pieces = method.stream(arguments, Call([b"a", b"b"]))
        await pieces.__anext__()
        await pieces.aclose()

    asyncio.run(leave())
    assert running.instance.ended == 1
    with pytest.raises(PluginError, match="audio_b64: must be base64 text, not 7"):
        running.stream("transcribe_stream", items=[b"a", 7], audio_b64={"$input": True})
    assert running.instance.ended == 1


def test_the_repositorys_dialect(plugins: Maker) -> None:
    running = plugins.run_methods(OLD, "stt")
    given = {"language": "de", "prompt": "x", "diarization": True, "provider_options": {"beam_size": 2}}
    result = running.call("transcribe", audio_b64="AQ==", **given)
    assert (result["text"], result["status"], result["language"]) == ("hello", "complete", "en")
    segment = result["segments"][0]
    assert (segment["text"], segment["start_ms"], "speaker" in segment) == ("hello", 0, False)
    options = running.instance.options
    assert (options.language, options.initial_prompt, options.speaker_diarization, options.beam_size) == (
        "de",
        "x",
        True,
        2,
    )
    assert running.call("get_languages") == [{"code": "en", "name": "en"}]


def test_the_repositorys_stream_is_one_session(plugins: Maker) -> None:
    running = plugins.run_methods(OLD, "stt")
    session = running.call("start_stream", sample_rate=8000, format="pcm_s16le")
    assert (running.instance.config.sample_rate, running.instance.config.channels) == (8000, 1)
    with pytest.raises(PluginError, match="one streaming session") as caught:
        running.call("start_stream")
    assert caught.value.code == -32050
    with pytest.raises(PluginError, match="no such session"):
        running.call("feed_audio", session_id="other", audio_b64="YQ==")
    for text, told in (("YQ==", "a"), ("Yg==", "a b")):
        update = running.call("feed_audio", **session, audio_b64=text)
        assert update == {"partial": "more", "final": told}
    assert running.call("end_stream", **session) == {"text": "a b"}
    assert running.call("start_stream") == session
    assert running.call("end_stream", **session) == {"text": ""}
    assert running.stream("transcribe_stream", items=[b"a"], audio_b64={"$input": True})[-1]["final"] == "a"


def test_capabilities_are_named_as_on_the_wire(plugins: Maker) -> None:
    code = "from contracts import *\n\nclass Mine(STTContract):\n    initialize = shutdown = health_check = print\n"
    for methods, expected in (
        (GUIDE, ["transcribe", "get_languages", "start_stream", "feed_audio", "end_stream"]),
        (OLD, ["transcribe", "start_stream", "feed_audio", "end_stream"]),
        ("def transcribe(self, audio): pass\ndef rewind(self): pass", ["transcribe", "rewind"]),
    ):
        body = "\n".join(f"    {line}" for line in methods.split("\n"))
        folder = f"p{len(methods)}"
        assert plugins.load(code + body, "stt", folder=folder).capabilities == expected


def test_without_sessions_a_stream_is_transcribed_whole(plugins: Maker) -> None:
    running = plugins.run_methods(
        "def transcribe(self, audio, language=None):\n    return audio.decode()", "stt"
    )
    pieces = running.stream("transcribe_stream", items=[b"a", b"b"], audio_b64={"$input": True})
    assert pieces == [{"partial": None, "final": "ab"}]
    with pytest.raises(PluginError, match="no streaming sessions; use transcribe") as caught:
        running.call("start_stream")
    assert caught.value.code == -32601


def test_an_own_stream_gets_an_iterator(plugins: Maker) -> None:
    code = (
        "def transcribe(self, audio):\n    return ''\n"
        "async def transcribe_stream(self, audio):\n    async for chunk in audio:\n        yield chunk.decode()\n"
        "    yield {'text': 'end', 'is_final': True}\n"
    )
    running = plugins.run_methods(code, "stt")
    assert [each["partial"] for each in running.stream("transcribe_stream", audio_b64="YQ==")] == ["a", None]
    assert running.call("transcribe_stream", audio_b64="YQ==") == {"text": "end"}


@pytest.mark.parametrize("answer", [7, b"x", {"words": []}, object()], ids=repr)
def test_what_is_no_text_is_an_error(plugins: Maker, answer: Any) -> None:
    running = plugins.run_methods("def transcribe(self, audio):\n    return self.answer", "stt")
    running.instance.answer = answer
    with pytest.raises(TypeError, match="transcribe must return text"):
        running.call("transcribe", audio_b64="")
