"""Speech to text with Whisper."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from typing import Any, Dict, List, Optional

from contracts.base import HealthStatus, PluginStatus
from contracts.stt_contract import STTContract
from plugins._host.protocol import ErrorCodes, PluginError
from session import Session
from sound import PcmFormat, SoundError

NAMES = {"de": "German", "en": "English", "es": "Spanish", "fr": "French", "it": "Italian", "ja": "Japanese"}
# A stream that is fed nothing for so long, in seconds, makes room for others.
ABANDONED = 300.0


class WhisperPlugin(STTContract):
    """Transcribes with Whisper, on the processor or with CUDA."""

    def __init__(self) -> None:
        super().__init__()
        self._engine: Any = None
        self._sessions: Dict[str, Any] = {}

    async def initialize(self, config: Dict[str, Any]) -> bool:
        """Keeps the configuration. The model is loaded at the first call that needs it."""
        self._config = config
        self._max_seconds = config.get("max_seconds", 3600)
        self._loading = asyncio.Lock()
        self._listening = asyncio.Lock()
        self._status = PluginStatus.READY
        return True

    async def shutdown(self) -> bool:
        """Lets go of the model and of what was streamed."""
        self._engine = None
        self._sessions.clear()
        self._status = PluginStatus.STOPPED
        return True

    def health_check(self) -> HealthStatus:
        """Reports whether the model is loaded."""
        loaded = self._engine is not None
        return HealthStatus(
            status=self._status,
            message="Ready" if loaded else "Ready; the model is loaded at the first call",
            details={"model_loaded": loaded, "open_sessions": len(self._sessions)},
        )

    async def transcribe(
        self,
        audio: bytes,
        language: Optional[str] = None,
        *,
        format: Optional[str] = None,
        sample_rate: Optional[int] = None,
        word_timestamps: bool = False,
        prompt: Optional[str] = None,
        temperature: Optional[float] = None,
    ) -> Dict[str, Any]:
        """Transcribes a recording: WAV, FLAC, MP3, Ogg, WebM, M4A, or samples of 16 bits."""
        engine = await self._ensure_engine()
        options = self._options(engine, language, word_timestamps, prompt, temperature)
        raw = pcm_format(sample_rate) if is_raw(format) else None
        heard = await self._hear(engine, audio, raw, options)
        return transcript(heard.segments, heard.language)

    async def get_languages(self) -> List[Dict[str, str]]:
        """Lists the languages of the model."""
        languages = (await self._ensure_engine()).languages
        return [{"code": code, "name": NAMES.get(code, code)} for code in languages]

    async def start_stream(
        self,
        language: Optional[str] = None,
        *,
        format: Optional[str] = None,
        sample_rate: Optional[int] = None,
        word_timestamps: bool = False,
        prompt: Optional[str] = None,
        temperature: Optional[float] = None,
    ) -> str:
        """Begins a session. Its audio is WAV, or samples of 16 bits at `sample_rate`."""
        engine = await self._ensure_engine()
        options = self._options(engine, language, word_timestamps, prompt, temperature)
        self._make_room()
        session_id = uuid.uuid4().hex
        pcm = pcm_format(sample_rate)
        self._sessions[session_id] = Session(pcm, not is_raw(format), options, self._max_seconds)
        return session_id

    async def feed_audio(self, session_id: str, audio_chunk: bytes) -> Dict[str, Optional[str]]:
        """Feeds a session. Once in `partial_seconds` of speech, returns what has been heard so far."""
        session = self._session(session_id)
        async with session.lock:
            try:
                session.feed(audio_chunk)
            except SoundError as error:
                raise PluginError(ErrorCodes.STT_AUDIO_INVALID, str(error)) from error
            if session.unheard < self._config.get("partial_seconds", 2):
                return {"partial": None, "final": None}
            before = len(session.certain)
            engine = await self._ensure_engine()
            heard = await self._hear(engine, session.window(), None, {**session.options, "beam_size": 1})
            open_segments = session.heard(heard.segments)
        final = text_of(session.certain) if len(session.certain) > before else None
        return {"partial": text_of(open_segments), "final": final}

    async def end_stream(self, session_id: str) -> Dict[str, Any]:
        """Ends a session and returns the whole transcript."""
        session = self._session(session_id)
        async with session.lock:
            self._sessions.pop(session_id, None)
            window = session.window()
            if not window:
                return transcript(session.certain, session.options["language"] or "en")
            heard = await self._hear(await self._ensure_engine(), window, None, session.options)
            open_segments = session.heard(heard.segments)
        return transcript([*session.certain, *open_segments], heard.language)

    def _options(
        self,
        engine: Any,
        language: Optional[str],
        word_timestamps: bool,
        prompt: Optional[str],
        temperature: Optional[float],
    ) -> Dict[str, Any]:
        options = {
            "language": language_code(language, engine.languages),
            "beam_size": self._config.get("beam_size", 5),
            "word_timestamps": word_timestamps,
            "initial_prompt": prompt,
        }
        return options if temperature is None else {**options, "temperature": temperature}

    async def _hear(self, engine: Any, audio: bytes, raw: Any, options: Dict[str, Any]) -> Any:
        # One recording uses all cores: a second one at the same time would make both late.
        async with self._listening:
            stop = threading.Event()
            try:
                return await asyncio.to_thread(
                    engine.transcribe, audio, raw, self._max_seconds, stop, options
                )
            except SoundError as error:
                raise PluginError(ErrorCodes.STT_AUDIO_INVALID, str(error)) from error
            except Exception as error:
                raise PluginError(
                    ErrorCodes.STT_TRANSCRIPTION_FAILED, f"Transcription failed: {error}"
                ) from error
            finally:
                # A call that is cancelled leaves its thread behind: it ends before the next segment.
                stop.set()

    def _session(self, session_id: str) -> Any:
        session = self._sessions.get(session_id)
        if session is None:
            raise ValueError(f"session_id: there is no session {session_id!r}; start one with start_stream")
        return session

    def _make_room(self) -> None:
        """Forgets sessions that nobody feeds, and refuses one too many."""
        since = time.monotonic() - ABANDONED
        self._sessions = {key: each for key, each in self._sessions.items() if each.last_used > since}
        limit = self._config.get("max_sessions", 4)
        if len(self._sessions) >= limit:
            raise PluginError(
                ErrorCodes.RESOURCE_EXHAUSTED,
                f"{limit} streams are open, and max_sessions allows no more; end one, or raise max_sessions",
            )

    async def _ensure_engine(self) -> Any:
        async with self._loading:
            if self._engine is None:
                try:
                    self._engine = await asyncio.to_thread(self._load_engine)
                except Exception as error:
                    raise PluginError(
                        ErrorCodes.STT_TRANSCRIPTION_FAILED, f"The model could not be loaded: {error}"
                    ) from error
        return self._engine

    def _load_engine(self) -> Any:
        # Imported here, so that the plugin starts at once.
        from whisper_engine import WhisperEngine

        config = self._config
        return WhisperEngine(
            config.get("model_path"), config.get("device", "cpu"), config.get("compute_type", "int8")
        )


def is_raw(format: Optional[str]) -> bool:
    """Whether the caller says that the audio has no header."""
    return format in ("pcm", "pcm_s16le")


def pcm_format(sample_rate: Optional[int]) -> PcmFormat:
    """How audio without a header is read: one channel, at 16 kHz where nobody says otherwise."""
    return PcmFormat(sample_rate or 16_000)


def language_code(language: Optional[str], languages: List[str]) -> Optional[str]:
    """Whisper's code of a language: en for en-US. None where Whisper is to find out."""
    if language is None:
        return None
    code = language.split("-")[0].lower()
    if code not in languages:
        raise PluginError(
            ErrorCodes.STT_LANGUAGE_NOT_SUPPORTED,
            f"language: this model does not know {language}; it knows {', '.join(languages)}",
            {"languages": languages},
        )
    return code


def text_of(segments: List[Any]) -> str:
    """What was said in the segments."""
    return " ".join(segment.text for segment in segments)


def transcript(segments: List[Any], language: str) -> Dict[str, Any]:
    """A transcript, as callers get it."""
    return {
        "text": text_of(segments),
        "language": language,
        "segments": [
            {"text": each.text, "start_ms": round(each.start * 1000), "end_ms": round(each.end * 1000)}
            for each in segments
        ],
        "words": [word for each in segments for word in each.words],
    }


# Export for plugin loader
Plugin = WhisperPlugin
