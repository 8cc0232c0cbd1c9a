"""A complete text-to-speech plugin. Its engine makes tones, so that it needs nothing but Python."""

import asyncio
import io
import sys
import wave
from typing import Any, Dict, List, Optional

import tone_engine

from contracts.base import HealthStatus, PluginError, PluginStatus
from contracts.tts_contract import TTSContract

VOICES = list(tone_engine.WAVEFORMS)


class ToneTTSPlugin(TTSContract):
    """Speaks text as tones."""

    async def initialize(self, config: Dict[str, Any]) -> bool:
        """Takes the configuration, which the host has checked and completed."""
        self._voice = config.get("voice", "sine")
        self._sample_rate = config.get("sample_rate", 24_000)
        self._max_characters = config.get("max_characters", 10_000)
        self._counts = {"requests": 0, "characters": 0}
        self._status = PluginStatus.READY
        return True

    async def shutdown(self) -> bool:
        """Has nothing to release."""
        self._status = PluginStatus.STOPPED
        return True

    def health_check(self) -> HealthStatus:
        """Reports the status and the counts."""
        works = self._status == PluginStatus.READY
        return HealthStatus(
            status=self._status,
            message="TTS engine operational" if works else "Not ready",
            details={
                "engine_loaded": self._counts["requests"] > 0,
                "voices_count": len(VOICES),
                "requests_processed": self._counts["requests"],
                "characters_spoken": self._counts["characters"],
            },
        )

    async def synthesize(
        self,
        text: str,
        voice_id: Optional[str] = None,
        *,
        format: str = "wav",
        sample_rate: Optional[int] = None,
        speed: float = 1,
        volume: float = 1,
    ) -> Dict[str, Any]:
        """Converts text to a WAV file."""
        self._check_text(text)
        voice = self._choose_voice(voice_id)
        rate = sample_rate or self._sample_rate
        if format != "wav":
            raise ValueError(f"format: tts_tone makes wav, not {format}")
        # In a thread, so that other calls go on meanwhile.
        samples = await asyncio.to_thread(tone_engine.render, text, voice, rate, speed, volume)
        self._counts["requests"] += 1
        self._counts["characters"] += len(text)
        return {
            "audio": _wav_file(samples, rate),
            "format": format,
            "sample_rate": rate,
            "channels": 1,
            "duration_ms": len(samples) * 1000 / rate,
            "voice_id": voice,
            "usage": {"characters": len(text)},
        }

    async def get_voices(self) -> List[Dict[str, Any]]:
        """Lists the waves."""
        # "No linguistic content", as BCP 47 puts it.
        return [
            {"id": voice, "name": f"{voice.capitalize()} wave", "language": "zxx", "sample_rate": self._sample_rate}
            for voice in VOICES
        ]

    def capture_state(self) -> Dict[str, int]:
        """Returns what goes over to the next version in a hot swap."""
        return self._counts

    def restore_state(self, state: Dict[str, Any]) -> None:
        """Takes what it understands: another version may have written it."""
        for key in self._counts:
            value = state.get(key)
            self._counts[key] = value if isinstance(value, int) else 0

    def _check_text(self, text: str) -> None:
        if not text.strip():
            raise PluginError("TTS_SYNTHESIS_FAILED", "Text cannot be empty")
        if len(text) > self._max_characters:
            raise PluginError(
                "TTS_TEXT_TOO_LONG",
                f"Text exceeds maximum length: {len(text)} characters, and {self._max_characters} are allowed; "
                "send it in parts",
                {"limit": self._max_characters, "length": len(text)},
            )

    def _choose_voice(self, voice_id: Optional[str]) -> str:
        voice = voice_id or self._voice
        if voice in VOICES:
            return voice
        known = ", ".join(VOICES)
        raise PluginError("TTS_VOICE_NOT_FOUND", f'There is no voice "{voice}"; there is {known}', {"voices": VOICES})


def _wav_file(samples: Any, sample_rate: int) -> bytes:
    if sys.byteorder == "big":
        samples.byteswap()
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(sample_rate)
        writer.writeframes(samples.tobytes())
    return file.getvalue()


Plugin = ToneTTSPlugin
