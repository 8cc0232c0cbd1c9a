# ruff: noqa: E501
"""Text to speech in both dialects: what authors may take and return, and what the wire gets."""

from __future__ import annotations

import array
import base64
import io
import struct
from typing import Any, List

import pytest
from conftest import Call, Maker

from appfactory.errors import PluginError
from appfactory.plugin.audio import ASSUMED_FORMAT, join, read_wav, sniff
from appfactory.plugin.sentences import Sentences


def wav(samples: List[int], rate: int = 8000, channels: int = 1) -> bytes:
    data = struct.pack(f"<{len(samples)}h", *samples)
    head = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2, 16)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + len(data))
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + head
        + b"data"
        + struct.pack("<I", len(data))
        + data
    )


VOICES = "\ndef get_voices(self):\n    return [Voice('a', 'A', 'en'), {'id': 'b'}, 'c']\n"

OLD = """
async def synthesize(self, text, voice_id=None, options=None):
    self.options = options
    return SynthesisResult(WAV, AudioFormat.WAV, 8000, 5, text, voice_id or "a", {"took": 1})
"""

PRELUDE = f"WAV = {wav([1, 2, 3, 4])!r}\n"


def run(plugins: Maker, methods: str, **manifest: Any) -> Any:
    return plugins.run_methods(PRELUDE + methods + VOICES, "tts", **manifest)


def test_the_repositorys_dialect(plugins: Maker) -> None:
    running = run(plugins, f"WAV = {wav([1, 2, 3, 4])!r}\n{OLD}".replace("(WAV", "(self.WAV"))
    given = {
        "speed": 2,
        "format": "pcm_s16le",
        "pitch": 1,
        "text_type": "ssml",
        "instructions": "Whisper.",
        "provider_options": {"style": "sad"},
    }
    result = running.call("synthesize", text="Hi", voice_id="b", **given)
    assert result == {
        "audio_b64": wav([1, 2, 3, 4]),
        "format": "wav",
        "sample_rate": 8000,
        "channels": 1,
        "duration_ms": 5,
        "text": "Hi",
        "voice_id": "b",
        "metadata": {"took": 1},
        "warnings": ["text_type: this plugin does not support it; it was ignored"],
    }
    options = running.instance.options
    assert (options.speed, options.format.value, options.pitch, options.style) == (2, "pcm", 0, "sad")
    assert options.instructions == "Whisper."
    running.call("synthesize", text="Hi")
    assert running.instance.options is None
    assert "warnings" in running.call("synthesize", text="Hi", format="flac")
    assert running.call("get_voices")[1:] == [
        {"id": "b", "name": "b", "language": "und"},
        {"id": "c", "name": "c", "language": "und"},
    ]
    assert running.call("get_voice_info", voice_id="a")["sample_rate"] == 22050
    assert [piece["text"] for piece in running.stream("synthesize_stream", text="One. Two!")] == [
        "One.",
        "Two!",
    ]


@pytest.mark.parametrize(
    ("signature", "seen", "ignored"),
    [
        ("self, text, voice_id=None", {"text": "Hi", "voice_id": "b"}, ["speed"]),
        ("self, text, voice=None", {"text": "Hi", "voice": "b"}, ["speed"]),
        ("self, text, *, speed=1.0, voice_id=None", {"text": "Hi", "voice_id": "b", "speed": 2}, []),
        ("self, text, speed=1.0", {"text": "Hi", "speed": 2}, ["voice_id"]),
        ("self, text, /, voice_id=None", {"text": "Hi", "voice_id": "b"}, ["speed"]),
        ("self, text, **kwargs", {"text": "Hi", "kwargs": {"voice_id": "b", "speed": 2}}, []),
        ("self, text, options: dict", {"text": "Hi", "options": {"voice_id": "b", "speed": 2}}, []),
        ("self, text, **options", {"text": "Hi", "options": {"voice_id": "b", "speed": 2}}, []),
        ("self, text, *options", {"text": "Hi", "options": ("b", 2)}, []),
        ("self, words, voice_id, needed", {"words": "Hi", "voice_id": "b", "needed": None}, ["speed"]),
        ("self, *args", {"args": ("Hi", "b", 2)}, []),
    ],
)
def test_arguments_go_where_the_signature_takes_them(
    plugins: Maker, signature: str, seen: Any, ignored: List[str]
) -> None:
    body = "self.seen = {name: value for name, value in locals().items() if name != 'self'}"
    running = run(plugins, f"def synthesize({signature}):\n    {body}\n    return b''\n")
    warnings = running.call("synthesize", text="Hi", voice_id="b", speed=2)["warnings"]
    assert running.instance.seen == seen
    assert warnings == [
        ASSUMED_FORMAT,
        *(f"{name}: this plugin does not support it; it was ignored" for name in ignored),
    ]


def test_instructions_are_an_option(plugins: Maker) -> None:
    told = run(
        plugins,
        "def synthesize(self, text, instructions=None):\n    self.told = instructions\n    return self.WAV",
    )
    assert "warnings" not in told.call("synthesize", text="Hi", instructions="Whisper.")
    assert told.instance.told == "Whisper."
    deaf = run(plugins, "def synthesize(self, text):\n    return self.WAV", folder="deaf")
    assert deaf.call("synthesize", text="Hi", instructions="Whisper.")["warnings"] == [
        "instructions: this plugin does not support it; it was ignored"
    ]


@pytest.mark.parametrize(
    "definition",
    [
        "def synthesize(self, text):\n    return WAV",
        "async def synthesize(self, text):\n    return WAV",
        "@staticmethod\ndef synthesize(text):\n    return WAV",
        "@classmethod\nasync def synthesize(cls, text):\n    return WAV",
        "def synthesize(self, text):\n    async def later():\n        return WAV\n    return later()",
        "import functools\ndef _speak(self, loud, text):\n    return WAV\n"
        "synthesize = functools.partialmethod(_speak, True)",
        "def logged(f):\n    from functools import wraps\n    @wraps(f)\n    def wrapper(*args, **kwargs):\n"
        "        return f(*args, **kwargs)\n    return wrapper\n@logged\ndef synthesize(self, text):\n    return WAV",
    ],
)
def test_every_kind_of_method_can_be_called(plugins: Maker, definition: str) -> None:
    code = f"import builtins\nbuiltins.WAV = {wav([1])!r}\n{definition}"
    assert run(plugins, code).call("synthesize", text="Hi")["audio_b64"] == wav([1])


class Single:
    """As a single value of numpy's."""

    def item(self) -> float:
        return 0.5


class Array:
    """As numpy's: tells its kind, and makes bytes."""

    dtype = type("dtype", (), {"kind": "i"})
    shape = (2,)

    def astype(self, kind: str) -> Any:
        assert kind == "<i2"
        return type("Bytes", (), {"tobytes": lambda self: b"\x01\x00\x02\x00"})()


@pytest.mark.parametrize(
    ("answer", "audio", "told"),
    [
        (wav([1]), wav([1]), ("wav", 8000, 1, False)),
        (bytearray(wav([1])), wav([1]), ("wav", 8000, 1, False)),
        (memoryview(wav([1])), wav([1]), ("wav", 8000, 1, False)),
        (b"\1\0", b"\1\0", ("pcm_s16le", 24000, 1, True)),
        (b"", b"", ("pcm_s16le", 24000, 1, True)),
        (io.BytesIO(wav([1])), wav([1]), ("wav", 8000, 1, False)),
        ({"audio": b"\1\0", "sample_rate": 16000, "format": "pcm"}, b"\1\0", ("pcm_s16le", 16000, 1, False)),
        ({"audio_data": base64.b64encode(wav([1])).decode()}, wav([1]), ("wav", 8000, 1, False)),
        ({"audio_b64": "AQA=", "channels": 2}, b"\1\0", ("pcm_s16le", 24000, 2, True)),
        (array.array("h", [1, 2]), b"\1\0\2\0", ("pcm_s16le", 24000, 1, True)),
        ([0.0, 0.5, -2.0, float("nan")], b"\0\0\0\x40\0\x80\0\0", ("pcm_s16le", 24000, 1, True)),
        ([Single(), 0], b"\0\x40\0\0", ("pcm_s16le", 24000, 1, True)),
        ((Array(), 16000.0), b"\1\0\2\0", ("pcm_s16le", 16000, 1, False)),
        ((8000, Array()), b"\1\0\2\0", ("pcm_s16le", 8000, 1, False)),
        ({"audio": Array(), "sample_rate": 8000}, b"\1\0\2\0", ("pcm_s16le", 8000, 1, False)),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_every_form_of_audio_becomes_a_result(plugins: Maker, answer: Any, audio: bytes, told: Any) -> None:
    running = run(plugins, "def synthesize(self, text):\n    return self.answer")
    running.instance.answer = answer
    result = running.call("synthesize", text="Hi")
    assert result["audio_b64"] == audio
    assert (result["format"], result["sample_rate"], result["channels"], "warnings" in result) == told


@pytest.mark.parametrize(
    "answer", [None, "text", 7, {}, {"audio": None}, {"audio": 7}, object(), ["a"]], ids=repr
)
def test_what_is_no_audio_is_an_error(plugins: Maker, answer: Any) -> None:
    running = run(plugins, "def synthesize(self, text):\n    return self.answer")
    running.instance.answer = answer
    with pytest.raises(TypeError, match="synthesize must return the bytes of a file"):
        running.call("synthesize", text="Hi")


@pytest.mark.parametrize("answer", [{"audio": "A"}, {"audio_b64": "A*"}, {"audio": "ä"}], ids=repr)
def test_base64_that_is_none_is_the_plugins_mistake(plugins: Maker, answer: Any) -> None:
    running = run(plugins, "def synthesize(self, text):\n    return self.answer")
    running.instance.answer = answer
    with pytest.raises(TypeError, match="synthesize returned audio that can't be read"):
        running.call("synthesize", text="Hi")


def test_a_voice_that_is_not_there(plugins: Maker) -> None:
    running = run(plugins, "def synthesize(self, text, voice_id=None):\n    raise ValueError('no')")
    with pytest.raises(PluginError, match='There is no voice "x"; there is a, b, c') as caught:
        running.call("synthesize", text="Hi", voice_id="x")
    assert (caught.value.code, caught.value.data) == (1001, {"voices": ["a", "b", "c"]})
    with pytest.raises(ValueError, match="no"):
        running.call("synthesize", text="Hi", voice_id="a")
    with pytest.raises(PluginError) as caught:
        running.call("get_voice_info", voice_id="x")
    assert caught.value.code == 1001


STREAM = """
def synthesize(self, text):
    return b""

async def synthesize_stream(self, text, voice_id=None):
    self.closed = False
    try:
        for word in text.split():
            yield word.encode().ljust(8)
    finally:
        self.closed = True
"""


def test_an_own_stream_is_taken_and_closed(plugins: Maker) -> None:
    import asyncio

    running = run(plugins, STREAM)
    assert [piece["audio_b64"] for piece in running.stream("synthesize_stream", text="a b")] == [
        b"a       ",
        b"b       ",
    ]
    assert running.call("synthesize_stream", text="a b")["audio_b64"] == b"a       b       "
    given = running.stream("synthesize_stream", items=["One", " two. Thr", "ee."], text={"$input": True})
    assert [piece["audio_b64"].strip() for piece in given] == [b"One", b"two.", b"Three."]

    async def leave() -> bool:
        method = running.plugin.find("synthesize_stream")
        pieces = method.stream(method.decode({"text": "a b c"}), Call())
        await pieces.__anext__()
        before = running.instance.closed
        await pieces.aclose()
        return not before and running.instance.closed

    assert asyncio.run(leave())


def test_text_that_arrives_in_pieces_is_spoken_by_sentence(plugins: Maker) -> None:
    code = "def synthesize(self, text):\n    return {'audio': text.encode(), 'format': 'x', 'sample_rate': 1}"
    pieces = run(plugins, code).stream("synthesize_stream", items=["One. T", "wo"], text={"$input": True})
    assert [(piece["text"], piece["audio_b64"]) for piece in pieces] == [("One.", b"One."), ("Two", b"Two")]


def test_a_method_that_takes_an_iterator_gets_one(plugins: Maker) -> None:
    code = """
    def synthesize(self, text):
        return b""

    async def synthesize_stream(self, text: "AsyncIterator[str]"):
        async for piece in text:
            yield piece.encode()
    """
    running = run(plugins, "\n".join(line[4:] for line in code.split("\n")))
    assert [each["audio_b64"] for each in running.stream("synthesize_stream", text="Hi")] == [b"Hi"]
    assert len(running.stream("synthesize_stream", items=["a", "b"], text={"$input": True})) == 2


def piece(audio: bytes, **told: Any) -> dict:
    return {"format": "wav", "sample_rate": 8000, "channels": 1, **told, "audio_b64": audio}


def test_pieces_become_one_file() -> None:
    assert join([]) == piece(b"", format="pcm_s16le", sample_rate=24000)
    assert join([piece(wav([1])), piece(wav([2, 3]))])["audio_b64"] == wav([1, 2, 3])
    odd = wav([1]).replace(b"data\2\0\0\0", b"data\3\0\0\0") + b"\7"
    assert join([piece(odd), piece(wav([2]))])["audio_b64"] == wav([1, 2])
    raw = [piece(b"\1\0", format="pcm_s16le"), piece(b"\2\0", format="pcm_s16le")]
    assert join(raw)["audio_b64"] == b"\1\0\2\0"
    mixed = join([piece(wav([0, 100])), piece(wav([0, 200, 400, 600], 16000), sample_rate=16000)])
    assert (mixed["format"], read_wav(mixed["audio_b64"]).data) == ("wav", struct.pack("<4h", 0, 100, 0, 400))
    stereo = join([piece(wav([1, 2], channels=2), channels=2), piece(wav([7]))])
    assert read_wav(stereo["audio_b64"]).data == struct.pack("<4h", 1, 2, 7, 7)
    with pytest.raises(PluginError, match="piece 2 is ogg of 8000 Hz"):
        join([piece(wav([1])), piece(b"x", format="ogg")])


def test_words_of_pieces_follow_each_other(plugins: Maker) -> None:
    code = (
        "def synthesize(self, text):\n    words = [{'word': text, 'start_ms': 0, 'end_ms': 5}]\n"
        "    told = {'format': 'pcm', 'sample_rate': 8000, 'warnings': ['w']}\n"
        "    told['usage'] = {'characters': len(text)}\n"
        "    return {'audio': b'\\1\\0' * 80, 'words': words, **told}"
    )
    result = run(plugins, code).call("synthesize_stream", text="One. Two.")
    assert [word["start_ms"] for word in result["words"]] == [0, 10]
    assert (result["usage"], result["warnings"]) == ({"characters": 8}, ["w"])


@pytest.mark.parametrize(
    ("audio", "told"),
    [
        (b"", {}),
        (b"RIFF", {}),
        (b"RIFF" + bytes(40), {}),
        (b"RIFF\0\0\0\0WAVE" + bytes(100_000), {}),
        (wav([1] * 8)[:50], {"format": "wav", "sample_rate": 8000, "channels": 1, "duration_ms": 0.375}),
        (
            b"fLaC" + bytes(14) + b"\x0a\xc4\x42" + bytes(40),
            {"format": "flac", "sample_rate": 44100, "channels": 2},
        ),
        (
            b"OggS" + bytes(24) + b"OpusHead\1\2" + bytes(20),
            {"format": "ogg", "sample_rate": 48000, "channels": 2},
        ),
        (b"ID3\4\0\0\0\0\0\1x", {"format": "mp3", "sample_rate": 44100, "channels": 2}),
        (b"\xff\xfb\x90\xc4" + bytes(10), {"format": "mp3", "sample_rate": 44100, "channels": 1}),
        (b"\xff\xfb\x90\xc4" + bytes(5000), {}),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_headers_tell_the_format(audio: bytes, told: dict) -> None:
    assert sniff(audio) == told


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("One. Two! Three", ["One.", "Two!", "Three"]),
        ("Dr. No said e.g. 3.5 things. Yes.", ["Dr. No said e.g. 3.5 things.", "Yes."]),
        ('He said "Go." Then left…', ['He said "Go."', "Then left…"]),
        ("a\n\nb\nc", ["a", "b\nc"]),
        ("你好。再见！", ["你好。", "再见！"]),
        ("." * 50_000, None),
        ("word " * 50_000, None),
        ("x" * 50_000, None),
        ("。" * 50_000, None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_text_is_split_into_sentences(text: str, sentences: Any) -> None:
    for size in (1, 7, len(text) or 1) if sentences is not None else (1000, len(text)):
        scanner = Sentences()
        found = [each for at in range(0, len(text), size) for each in scanner.push(text[at : at + size])]
        found += scanner.end()
        if sentences is not None:
            assert found == sentences
        assert "".join(found).replace(" ", "") == text.replace(" ", "").replace("\n\n", "") or "\n" in text
        assert all(len(each) <= 1000 for each in found)
