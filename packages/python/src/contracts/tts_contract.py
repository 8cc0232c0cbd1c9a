"""Text to speech."""

from __future__ import annotations

import base64
from abc import abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, AsyncIterator, Dict, List, Optional

from contracts._options import from_known
from contracts.base import PluginBase


class AudioFormat(Enum):
    """Formats of audio. PCM is samples of 16 bits, little-endian, without a header."""

    WAV = "wav"
    MP3 = "mp3"
    OGG = "ogg"
    PCM = "pcm"
    OPUS = "opus"


@dataclass
class Voice:
    """A voice. `language` is a BCP 47 tag such as en-US; `sample_rate` is in Hz."""

    id: str
    name: str
    language: str
    gender: str = "neutral"
    description: str = ""
    sample_rate: int = 22050
    preview_url: str = ""


@dataclass
class SynthesisResult:
    """Audio, with what is known about it. `sample_rate` is in Hz."""

    audio_data: bytes
    format: AudioFormat
    sample_rate: int
    duration_ms: int
    text: str
    voice_id: str
    metadata: Dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> Dict[str, Any]:
        """The result as JSON, with the audio in base64."""
        return {
            "audio_data": base64.b64encode(self.audio_data).decode("ascii"),
            "format": self.format.value if isinstance(self.format, Enum) else self.format,
            "sample_rate": self.sample_rate,
            "duration_ms": self.duration_ms,
            "text": self.text,
            "voice_id": self.voice_id,
            "metadata": self.metadata,
        }


@dataclass
class SynthesisOptions:
    """How to speak. `speed` and `volume` are factors, 1 is normal; `sample_rate` is in Hz.

    `instructions` says in words how to speak. Those that follow it list it in the manifest's `capabilities`.
    """

    speed: float = 1.0
    pitch: float = 0.0
    volume: float = 1.0
    format: AudioFormat = AudioFormat.WAV
    sample_rate: Optional[int] = None
    language: Optional[str] = None
    instructions: Optional[str] = None

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> SynthesisOptions:
        """Makes them of JSON; keys that it does not know are left out."""
        return from_known(cls, data, format=AudioFormat)


class TTSContract(PluginBase):
    """Text to speech. Implement `synthesize` and `get_voices`, each as `def` or `async def`."""

    def __init__(self) -> None:
        super().__init__()
        self._current_voice_id: Optional[str] = None
        self._voices: List[Any] = []

    @property
    def contract_type(self) -> str:
        return "tts"

    @abstractmethod
    def synthesize(self, text: str, *args: Any, **kwargs: Any) -> Any:
        """Converts text to audio: `(text, voice_id=None, options=None)`, or any of these.

        Returns the bytes of a file (WAV, MP3, Ogg, FLAC), or a `SynthesisResult`.
        """

    @abstractmethod
    def get_voices(self) -> Any:
        """Lists the voices: `Voice` or dict."""

    def set_voice(self, voice_id: str) -> Any:
        """Chooses the voice of calls that name none. Returns whether it could."""
        self._current_voice_id = voice_id
        return True

    def get_current_voice(self) -> Any:
        """The chosen voice of `_voices`; None where there is none."""
        return next((voice for voice in self._voices if _id_of(voice) == self._current_voice_id), None)

    async def synthesize_stream(self, text: str, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """Converts text to audio piece by piece. Default: `synthesize()` in one piece."""
        result = await self.synthesize(text, *args, **kwargs)
        yield getattr(result, "audio_data", result)

    def supports_ssml(self) -> bool:
        """Whether `synthesize` reads SSML."""
        return False

    def supports_streaming(self) -> bool:
        """Whether `synthesize_stream` is more than the default."""
        return False

    def get_supported_languages(self) -> List[str]:
        """The languages of `_voices`."""
        return sorted({str(_language_of(voice)) for voice in self._voices})


def _id_of(voice: Any) -> Any:
    return voice.get("id") if isinstance(voice, dict) else getattr(voice, "id", None)


def _language_of(voice: Any) -> Any:
    return voice.get("language") if isinstance(voice, dict) else getattr(voice, "language", None)
