"""Speech to text."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Callable, Dict, List, Optional

from contracts._options import from_known
from contracts.base import ErrorCodes, PluginBase, PluginError


class TranscriptionStatus(Enum):
    """How far a transcription is."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETE = "complete"
    ERROR = "error"
    CANCELLED = "cancelled"


@dataclass
class TranscriptionSegment:
    """A part of a transcript, with its place in ms from the beginning. `confidence` is from 0 to 1."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float = 1.0
    speaker: Optional[str] = None
    language: Optional[str] = None
    words: List[Dict[str, Any]] = field(default_factory=list)


@dataclass
class TranscriptionResult:
    """A transcript. `language` is a BCP 47 tag such as en-US."""

    text: str
    segments: List[TranscriptionSegment]
    language: str
    duration_ms: int
    status: TranscriptionStatus = TranscriptionStatus.COMPLETE
    metadata: Dict[str, Any] = field(default_factory=dict)


@dataclass
class TranscriptionOptions:
    """How to listen."""

    language: Optional[str] = None
    task: str = "transcribe"
    word_timestamps: bool = False
    speaker_diarization: bool = False
    max_speakers: int = 2
    beam_size: int = 5
    temperature: float = 0.0
    initial_prompt: Optional[str] = None
    suppress_tokens: List[int] = field(default_factory=list)

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> TranscriptionOptions:
        """Makes them of JSON; keys that it does not know are left out."""
        return from_known(cls, data)


@dataclass
class StreamingConfig:
    """The audio of a stream: `sample_rate` in Hz, `chunk_duration_ms` in ms."""

    sample_rate: int = 16000
    channels: int = 1
    encoding: str = "pcm_s16le"
    chunk_duration_ms: int = 100
    vad_enabled: bool = True
    vad_threshold: float = 0.5


class STTContract(PluginBase):
    """Speech to text. Implement `transcribe`, as `def` or `async def`."""

    def __init__(self) -> None:
        super().__init__()
        self._is_streaming: bool = False
        self._stream_config: Optional[StreamingConfig] = None
        self._stream_callback: Optional[Callable[..., Any]] = None

    @property
    def contract_type(self) -> str:
        return "stt"

    @abstractmethod
    def transcribe(self, *args: Any, **kwargs: Any) -> Any:
        """Converts audio to text: `(audio, language=None)` or `(audio_data, options=None)`.

        Returns the text, or a `TranscriptionResult`.
        """

    def start_streaming(self, config: Any, callback: Optional[Callable[..., Any]] = None) -> Any:
        """Begins to listen to a stream. Default: not supported."""
        raise PluginError(
            ErrorCodes.METHOD_NOT_FOUND, "This plugin has no streaming sessions; use transcribe"
        )

    def feed_audio(self, *args: Any, **kwargs: Any) -> Any:
        """Feeds a stream: `(session_id, audio_chunk)` or `(audio_chunk)`. Default: not supported."""
        raise PluginError(
            ErrorCodes.METHOD_NOT_FOUND, "This plugin has no streaming sessions; use transcribe"
        )

    def stop_streaming(self) -> Any:
        """Ends a stream and returns the whole text. Default: not supported."""
        raise PluginError(
            ErrorCodes.METHOD_NOT_FOUND, "This plugin has no streaming sessions; use transcribe"
        )

    def get_supported_languages(self) -> List[str]:
        """Codes of the languages, such as `en`."""
        return ["en"]

    def supports_streaming(self) -> bool:
        """Whether the plugin listens to streams."""
        return False

    def supports_diarization(self) -> bool:
        """Whether the plugin tells speakers apart."""
        return False

    def supports_translation(self) -> bool:
        """Whether the plugin translates."""
        return False

    @property
    def is_streaming(self) -> bool:
        """Whether the plugin listens to a stream now."""
        return self._is_streaming
