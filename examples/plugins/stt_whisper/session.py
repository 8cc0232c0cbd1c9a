"""A stream of speech: what has arrived, and what was heard in it so far."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Dict, List, Optional

from sound import PcmFormat, SoundError, check_length, read_wav_header, wav_file

# Whisper hears half a minute at a time. Beyond this, what is certain is kept as text and its sound forgotten.
LONGEST_WINDOW = 20.0
OTHER_FILES = (b"fLaC", b"OggS", b"ID3", b"\x1aE\xdf\xa3")


class Session:
    """Collects sound until it is listened to. Times are in seconds from the beginning of the stream."""

    def __init__(self, pcm: PcmFormat, has_header: bool, options: Dict[str, Any], max_seconds: float) -> None:
        self.options = options
        self.lock = asyncio.Lock()
        self.last_used = time.monotonic()
        self.certain: List[Any] = []
        self._without_header = pcm
        self._pcm: Optional[PcmFormat] = None if has_header else pcm
        self._bytes = bytearray()
        self._forgotten = 0.0
        self._listened_to = 0.0
        self._max_seconds = max_seconds

    @property
    def end(self) -> float:
        """How long the stream is."""
        if self._pcm is None:
            return 0.0
        return self._forgotten + len(self._bytes) / (self._pcm.rate * self._pcm.channels * 2)

    @property
    def unheard(self) -> float:
        """How much of the stream has not been listened to."""
        return self.end - self._listened_to

    def feed(self, chunk: bytes) -> None:
        """Takes the next piece of sound, cut anywhere."""
        self.last_used = time.monotonic()
        self._bytes += chunk
        if self._pcm is None and len(self._bytes) >= 4:
            self._recognise_format()
        check_length(self.end, self._max_seconds)

    def window(self) -> bytes:
        """What is to be listened to, as a WAV file; empty where there is nothing."""
        self._listened_to = self.end
        return wav_file(bytes(self._bytes), self._pcm) if self._pcm else b""

    def heard(self, segments: List[Any]) -> List[Any]:
        """Takes what was heard in the window, and returns what may still change."""
        moved = [_later(segment, self._forgotten) for segment in segments]
        if self.end - self._forgotten <= LONGEST_WINDOW:
            return moved
        # The last sentence may go on. If it is the only one it is cut; none is silence.
        certain = moved[:-1] or moved
        self.certain += certain
        self._forget(certain[-1].end if certain else self.end)
        return moved[len(certain) :]

    def _recognise_format(self) -> None:
        if self._bytes.startswith(OTHER_FILES):
            raise SoundError("audio: a stream must be WAV, or samples of 16 bits without a header")
        if not self._bytes.startswith(b"RIFF"):
            self._pcm = self._without_header
            return
        header = read_wav_header(bytes(self._bytes))
        if header is not None:
            self._pcm, samples_begin = header
            del self._bytes[:samples_begin]

    def _forget(self, until: float) -> None:
        pcm = self._pcm or self._without_header
        until = min(until, self.end)
        frames = int((until - self._forgotten) * pcm.rate)
        del self._bytes[: frames * pcm.channels * 2]
        self._forgotten = until


def _later(segment: Any, seconds: float) -> Any:
    shift = round(seconds * 1000)
    words = [
        {**word, "start_ms": word["start_ms"] + shift, "end_ms": word["end_ms"] + shift}
        for word in segment.words
    ]
    return segment._replace(start=segment.start + seconds, end=segment.end + seconds, words=words)
