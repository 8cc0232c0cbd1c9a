"""Text to speech with Kokoro-82M, a neural voice."""

from __future__ import annotations

import asyncio
import io
import re
import wave
from typing import Any, AsyncIterator, Dict, List, Optional, Tuple

from contracts.base import HealthStatus, PluginStatus
from contracts.tts_contract import TTSContract
from plugins._host.protocol import ErrorCodes, PluginError

SAMPLE_RATE = 24_000
SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|\n+")
SLOWEST, FASTEST = 0.5, 2.0
GENDERS = {"f": "female", "m": "male"}


class KokoroPlugin(TTSContract):
    """Speaks English with Kokoro-82M, on the processor or with CUDA."""

    def __init__(self) -> None:
        super().__init__()
        self._engine: Any = None
        self._max_characters = 10_000

    async def initialize(self, config: Dict[str, Any]) -> bool:
        """Keeps the configuration. The model is loaded at the first call that needs it."""
        self._config = config
        self._current_voice_id = config.get("voice")
        self._max_characters = config.get("max_characters", 10_000)
        self._loading = asyncio.Lock()
        self._speaking = asyncio.Lock()
        self._status = PluginStatus.READY
        return True

    async def shutdown(self) -> bool:
        """Lets go of the model."""
        self._engine = None
        self._status = PluginStatus.STOPPED
        return True

    def health_check(self) -> HealthStatus:
        """Reports whether the model is loaded."""
        loaded = self._engine is not None
        return HealthStatus(
            status=self._status,
            message="Ready" if loaded else "Ready; the model is loaded at the first call",
            details={"model_loaded": loaded, "voice": self._current_voice_id},
        )

    async def synthesize(
        self, text: str, voice_id: Optional[str] = None, speed: Optional[float] = None
    ) -> Dict[str, Any]:
        """Speaks a text: a WAV file."""
        self._check_text(text)
        engine = await self._ensure_engine()
        voice = self._voice_of(engine, voice_id or self._current_voice_id)
        speed, warnings = within_limits(1.0 if speed is None else speed)
        samples = await self._speak(engine, text, voice, speed)
        if not samples:
            raise PluginError(
                ErrorCodes.TTS_SYNTHESIS_FAILED, "text: has no words that can be said in English"
            )
        return {
            "audio": wav_file(samples),
            "format": "wav",
            "sample_rate": SAMPLE_RATE,
            "channels": 1,
            "duration_ms": len(samples) // 2 * 1000 / SAMPLE_RATE,
            "voice_id": voice,
            "usage": {"characters": len(text)},
            "warnings": warnings,
        }

    async def synthesize_stream(
        self, text: str, voice_id: Optional[str] = None, speed: Optional[float] = None
    ) -> AsyncIterator[Dict[str, Any]]:
        """Speaks a text sentence by sentence: a WAV file each."""
        self._check_text(text)
        for sentence in sentences_of(text):
            yield await self.synthesize(sentence, voice_id, speed)

    async def get_voices(self) -> List[Dict[str, Any]]:
        """Lists the voices."""
        return [describe(voice) for voice in (await self._ensure_engine()).voices]

    async def get_voice_info(self, voice_id: str) -> Dict[str, Any]:
        """Describes a voice."""
        return describe(self._voice_of(await self._ensure_engine(), voice_id))

    async def set_voice(self, voice_id: str) -> bool:
        """Chooses the voice of calls that name none."""
        self._current_voice_id = self._voice_of(await self._ensure_engine(), voice_id)
        return True

    def capture_state(self) -> Dict[str, Any]:
        """What a newer version of the plugin goes on with."""
        return {"voice": self._current_voice_id}

    def restore_state(self, state: Dict[str, Any]) -> None:
        """Takes over what an older version captured."""
        self._current_voice_id = state.get("voice", self._current_voice_id)

    def _check_text(self, text: str) -> None:
        if not text.strip():
            raise ValueError("Text cannot be empty")
        if len(text) > self._max_characters:
            raise PluginError(
                ErrorCodes.TTS_TEXT_TOO_LONG,
                f"text: must be at most {self._max_characters} characters, not {len(text)}; send it in parts",
                {"max_characters": self._max_characters},
            )

    def _voice_of(self, engine: Any, voice_id: Optional[str]) -> str:
        voices: List[str] = engine.voices
        voice = voice_id or voices[0]
        if voice not in voices:
            raise PluginError(
                ErrorCodes.TTS_VOICE_NOT_FOUND,
                f"Voice not found: {voice}; the voices are {', '.join(voices)}",
                {"voices": voices},
            )
        return voice

    async def _speak(self, engine: Any, text: str, voice: str, speed: float) -> bytes:
        # One text uses all cores: a second one at the same time would make both late.
        async with self._speaking:
            run = engine.new_run()
            try:
                return await asyncio.to_thread(engine.speak, text, voice, speed, run)
            except Exception as error:
                raise PluginError(ErrorCodes.TTS_SYNTHESIS_FAILED, f"Synthesis failed: {error}") from error
            finally:
                # A call that is cancelled leaves its thread behind: this ends it within a moment.
                run.terminate = True

    async def _ensure_engine(self) -> Any:
        async with self._loading:
            if self._engine is None:
                try:
                    self._engine = await asyncio.to_thread(self._load_engine)
                except Exception as error:
                    raise PluginError(
                        ErrorCodes.TTS_SYNTHESIS_FAILED, f"The model could not be loaded: {error}"
                    ) from error
        return self._engine

    def _load_engine(self) -> Any:
        # Imported here, so that the plugin starts at once.
        from kokoro_engine import KokoroEngine

        config = self._config
        return KokoroEngine(config.get("model_path"), config.get("voices_path"), config.get("device", "cpu"))


def sentences_of(text: str) -> List[str]:
    """The sentences of a text; marks without a word are none."""
    return [each for each in SENTENCE_END.split(text) if any(map(str.isalnum, each))] or [text]


def within_limits(speed: float) -> Tuple[float, List[str]]:
    """The speed that Kokoro can speak with, and what to tell the caller if it is another."""
    possible = min(max(speed, SLOWEST), FASTEST)
    if possible == speed:
        return speed, []
    return possible, [f"speed: must be from {SLOWEST:g} to {FASTEST:g}; not {speed}; {possible:g} is taken"]


def describe(voice: str) -> Dict[str, Any]:
    """A voice, as its id tells it: jf_alpha is a woman's voice that was recorded in Japanese."""
    return {
        "id": voice,
        "name": voice[3:].replace("_", " ").capitalize() or voice,
        "language": "en-US",
        "gender": GENDERS.get(voice[1:2], "neutral"),
        "sample_rate": SAMPLE_RATE,
    }


def wav_file(samples: bytes) -> bytes:
    """A WAV file of samples of 16 bits, one channel."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE)
        wav.writeframes(samples)
    return file.getvalue()


# Export for plugin loader
Plugin = KokoroPlugin
