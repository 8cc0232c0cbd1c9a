"""Samples of 16 bits, with a WAV header or without."""

from __future__ import annotations

import io
import struct
import wave
from typing import NamedTuple, Optional, Tuple

SAMPLE_RATE = 16_000

LONGEST_HEADER = 1 << 20


class SoundError(Exception):
    """The audio can't be read; the message says why, and what to send."""


class PcmFormat(NamedTuple):
    """How samples of 16 bits are to be read. `rate` is in Hz."""

    rate: int = SAMPLE_RATE
    channels: int = 1


def check_length(seconds: float, max_seconds: float) -> None:
    """Refuses what would take too long, or too much memory."""
    if seconds > max_seconds:
        raise SoundError(f"audio: must be at most {max_seconds:g} seconds long; send it in parts")


def wav_file(samples: bytes, pcm: PcmFormat) -> bytes:
    """A WAV file of samples of 16 bits; empty where there are none."""
    whole = samples[: len(samples) - len(samples) % (2 * pcm.channels)]
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(pcm.channels)
        wav.setsampwidth(2)
        wav.setframerate(pcm.rate)
        wav.writeframes(whole)
    return file.getvalue() if whole else b""


def read_wav_header(start: bytes) -> Optional[Tuple[PcmFormat, int]]:
    """The format of a WAV file and where its samples begin; None while more bytes are needed."""
    place, pcm = 12, None
    while len(start) >= place + 8:
        name, size = struct.unpack_from("<4sI", start, place)
        if name == b"data" and pcm:
            return pcm, place + 8
        if name == b"fmt " and len(start) >= place + 24:
            pcm = _pcm_format(*struct.unpack_from("<HHIIHH", start, place + 8))
        place += 8 + size + size % 2
    if len(start) > LONGEST_HEADER or place > LONGEST_HEADER:
        raise SoundError("audio: the WAV header has no samples behind it")
    return None


def _pcm_format(kind: int, channels: int, rate: int, _bytes: int, _frame: int, bits: int) -> PcmFormat:
    if bits != 16 or kind not in (1, 0xFFFE) or channels == 0 or rate == 0:
        raise SoundError("audio: a stream must have samples of 16 bits; send PCM, in WAV or without a header")
    return PcmFormat(rate, channels)
