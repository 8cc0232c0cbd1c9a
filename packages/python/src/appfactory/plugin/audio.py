"""Audio: formats told by headers, samples of engines' arrays, and pieces joined into one file."""

from __future__ import annotations

import struct
import sys
from array import array
from dataclasses import dataclass
from math import isfinite
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from appfactory.errors import ErrorCodes, PluginError

# Assumed format of sound without a declared one.
ASSUMED_FORMAT = "The audio has no known header: its format is assumed"

# Files whose lengths are longer, or were not known when their header was written.
_UNKNOWN_LENGTH = 0xFFFFFFFF

# So many chunks has no file of sound.
_MAX_CHUNKS = 10_000


@dataclass
class Wav:
    """What a WAV file says of its samples, and the bytes of those. `sample_rate` is in Hz."""

    encoding: int
    channels: int
    sample_rate: int
    bits: int
    byte_rate: int
    format_chunk: bytes
    data: Union[bytes, memoryview]
    big_endian: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the samples are plain numbers, whole ones or floating point."""
        return self.bits in (
            (8, 16, 24, 32) if self.encoding == 1 else (32, 64) if self.encoding == 3 else ()
        )

    @property
    def shape(self) -> Tuple[int, int, int, int]:
        return (self.encoding, self.channels, self.sample_rate, self.bits)

    @property
    def duration_ms(self) -> Optional[float]:
        rate = self.sample_rate * self.channels * self.bits / 8 if self.is_plain else self.byte_rate
        return len(self.data) * 1000 / rate if rate else None


def read_wav(file: bytes) -> Optional[Wav]:
    """Reads a WAV file; None where it is none. A length that lies is cut to what is there."""
    if file[:4] not in (b"RIFF", b"RIFX", b"RF64", b"BW64") or file[8:12] != b"WAVE":
        return None
    order = ">" if file[:4] == b"RIFX" else "<"
    chunk: Optional[bytes] = None
    long_length: Optional[int] = None
    offset = 12
    for _ in range(_MAX_CHUNKS):
        if offset + 8 > len(file):
            break
        name = file[offset : offset + 4]
        (told,) = struct.unpack_from(order + "I", file, offset + 4)
        start = offset + 8
        if name == b"fmt " and told >= 16:
            chunk = file[start : start + told]
        elif name == b"ds64" and start + 16 <= len(file):
            (long_length,) = struct.unpack_from(order + "Q", file, start + 8)
        elif name == b"data":
            return chunk and _wav(chunk, order, _samples(file, start, told, long_length, order)) or None
        offset = start + told + told % 2
    return _wav(chunk, order, b"") if chunk else None


def _samples(file: bytes, start: int, told: int, long_length: Optional[int], order: str) -> memoryview:
    # A view: to copy an hour of sound would take longer than all else.
    samples = memoryview(file)[start:]
    known = long_length if told == _UNKNOWN_LENGTH else told
    (whole,) = struct.unpack_from(order + "I", file, 4)
    is_unfinished = whole + 8 <= start or whole == _UNKNOWN_LENGTH
    if known is None or (known == 0 and is_unfinished):
        return samples
    return samples[:known]


def _wav(chunk: bytes, order: str, data: Union[bytes, memoryview]) -> Optional[Wav]:
    if len(chunk) < 16:
        return None
    tag, channels, rate, byte_rate, block, bits = struct.unpack_from(order + "HHIIHH", chunk)
    # An encoding that stands further behind.
    encoding = struct.unpack_from(order + "H", chunk, 24)[0] if tag == 0xFFFE and len(chunk) >= 26 else tag
    if channels == 0 or rate == 0:
        return None
    # Some writers give each sample of 24 bits four bytes, the lowest of which is empty.
    if bits == 24 and block == channels * 4 and byte_rate == rate * channels * 4:
        bits = 32
    return Wav(encoding, channels, rate, bits, byte_rate, chunk, data, order == ">")


def build_wav(format_chunk: bytes, data: bytes) -> bytes:
    """A WAV file of samples encoded as `format_chunk` says."""
    head = format_chunk + b"\0" * (len(format_chunk) % 2)
    size = 20 + len(head) + len(data) + len(data) % 2
    parts = [
        b"RIFF",
        struct.pack("<I", size),
        b"WAVEfmt ",
        struct.pack("<I", len(format_chunk)),
        head,
        b"data",
    ]
    return b"".join([*parts, struct.pack("<I", len(data)), data, b"\0" * (len(data) % 2)])


def sniff(audio: bytes) -> Dict[str, Any]:
    """What the header tells: `format`, `sample_rate`, `channels`, `duration_ms`; empty for an unknown one."""
    wav = read_wav(audio)
    if wav is not None:
        return _told("wav", wav.sample_rate, wav.channels, wav.duration_ms)
    is_tagged = audio[:3] == b"ID3" and len(audio) >= 10
    sound: Any = memoryview(audio)[10 + _sync_safe(audio[6:10]) :] if is_tagged else audio
    if sound[:4] == b"fLaC" and len(sound) >= 42:
        return _sniff_flac(sound)
    if audio[:4] == b"OggS" and len(audio) >= 48:
        return _sniff_ogg(audio)
    return _sniff_mp3(sound) or (_told("mp3", 44_100, 2) if is_tagged else {})


def _told(kind: str, rate: int, channels: int, duration: Optional[float] = None) -> Dict[str, Any]:
    if rate == 0 or channels == 0:
        return {}
    told = {"format": kind, "sample_rate": rate, "channels": channels}
    return told if duration is None else {**told, "duration_ms": _whole(duration)}


def _whole(number: float) -> float:
    """As JSON writes it for JavaScript: 160 rather than 160.0."""
    return int(number) if number == int(number) else number


def _sniff_flac(audio: bytes) -> Dict[str, Any]:
    rate = audio[18] << 12 | audio[19] << 4 | audio[20] >> 4
    samples = (audio[21] & 15) << 32 | int.from_bytes(audio[22:26], "big")
    duration = samples * 1000 / rate if rate and samples else None
    return _told("flac", rate, (audio[20] >> 1 & 7) + 1, duration)


def _sniff_ogg(audio: bytes) -> Dict[str, Any]:
    """Ogg holds sound of several encodings, each with a beginning of its own."""
    if audio[28:36] == b"OpusHead":
        return _told("ogg", 48_000, audio[37])
    if audio[29:35] == b"vorbis":
        return _told("ogg", int.from_bytes(audio[40:44], "little"), audio[39])
    if audio[28:33] == b"Speex" and len(audio) >= 80:
        return _told("ogg", int.from_bytes(audio[64:68], "little"), int.from_bytes(audio[76:80], "little"))
    if audio[29:33] != b"FLAC" or len(audio) < 79:
        return {}
    flac = _sniff_flac(audio[37:])
    return flac and _told("ogg", flac["sample_rate"], flac["channels"])


# Thousands of bits a second of an MP3 frame, by its index: of MPEG-1, and of the later ones with low rates.
_BIT_RATES = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)


def _sniff_mp3(audio: bytes) -> Dict[str, Any]:
    """What begins with an MP3 frame, and goes on with another one: raw samples may look like one frame."""
    frame = _mp3_frame(audio[:4])
    if frame is None:
        return {}
    length, rate, channels = frame
    is_alone = length == 0 or length + 4 > len(audio) or audio[length : length + 3] == b"TAG"
    following = None if is_alone else _mp3_frame(audio[length : length + 4])
    return _told("mp3", rate, channels) if is_alone or (following and following[1] == rate) else {}


def _mp3_frame(head: bytes) -> Optional[Tuple[int, int, int]]:
    """Length in bytes (0 where it is not told), sample rate and channels."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return None
    version, bits, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or bits == 15 or rate == 3:
        return None
    sample_rate = (44_100, 48_000, 32_000)[rate] >> {3: 0, 2: 1}.get(version, 2)
    bit_rate = _BIT_RATES[version != 3][bits]
    length = bit_rate * (144_000 if version == 3 else 72_000) // sample_rate
    return length + (head[2] >> 1 & 1 if length else 0), sample_rate, 1 if head[3] >> 6 == 3 else 2


def _sync_safe(digits: bytes) -> int:
    value = 0
    for digit in digits:
        value = value * 128 + (digit & 127)
    return value


def samples_of(value: Any) -> Optional[Tuple[bytes, int]]:
    """16-bit samples of an engine's array or list, and the number of channels; None where it is none.

    Floating point is cut at full scale, from -1 to 1.
    """
    for step in ("detach", "cpu", "numpy"):
        if callable(getattr(value, step, None)):
            value = getattr(value, step)()
    channels = 1
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and len(shape) > 1:
        if len(shape) > 2:
            return None
        value = value.T if shape[0] < shape[1] else value
        channels = min(shape) or 1
    if not hasattr(value, "astype"):
        return _plain_samples(value)
    return (_numpy_samples(value), channels) if shape and value.dtype.kind in "fiu" else None


def _numpy_samples(value: Any) -> bytes:
    if value.dtype.kind == "f":
        # What is no number is silence; only NaN differs from itself.
        value = (value.clip(-1, 1) * 32768).round().clip(-32768, 32767)
        value[value != value] = 0
    return bytes(value.astype("<i2").tobytes())


def _plain_samples(value: Any) -> Optional[Tuple[bytes, int]]:
    if isinstance(value, array) and value.typecode == "h":
        return _little_endian(value), 1
    if isinstance(value, (list, tuple)):
        # Single values of numpy and its like.
        value = [each.item() if hasattr(each, "item") else each for each in value]
    if not isinstance(value, (array, list)) or not all(type(each) in (int, float) for each in value):
        return None
    if all(type(each) is int for each in value):
        whole = value
    else:
        whole = [round(each * 32768) if isfinite(each) else 0 for each in value]
    return _little_endian(array("h", [max(-32768, min(32767, each)) for each in whole])), 1


def _little_endian(samples: Any) -> bytes:
    if sys.byteorder == "big":
        samples = array(samples.typecode, samples)
        samples.byteswap()
    return bytes(samples.tobytes())


def join(pieces: Sequence[Dict[str, Any]]) -> Dict[str, Any]:
    """One file of all pieces: WAV files become one, pieces of other formats follow each other.

    Uncompressed pieces that differ are converted to 16 bits, with the rate and channels of the first one.
    """
    if not pieces:
        return {"format": "pcm_s16le", "sample_rate": 24_000, "channels": 1, "audio_b64": b""}
    first = pieces[0]
    told = {key: first[key] for key in ("format", "sample_rate", "channels")}
    wavs = [read_wav(piece["audio_b64"]) for piece in pieces]
    head = wavs[0]
    alike = [
        wav for wav in wavs if head and wav and wav.format_chunk == head.format_chunk and not wav.big_endian
    ]
    if head and len(alike) == len(pieces):
        data = b"".join(_whole_blocks(wav) for wav in alike)
        return {**told, "audio_b64": build_wav(head.format_chunk, data)}
    odd = _odd_one(pieces, wavs)
    if odd is None:
        return {**told, "audio_b64": b"".join(piece["audio_b64"] for piece in pieces)}
    sounds = [_plain_sound(piece, wav, head) for piece, wav in zip(pieces, wavs)]
    if all(sound is not None for sound in sounds):
        rate, channels = told["sample_rate"], told["channels"]
        data = b"".join(_converted(sound, rate, channels) for sound in sounds if sound)
        chunk = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2, channels * 2, 16)
        is_raw = not any(wavs)
        return {
            **told,
            "format": "pcm_s16le" if is_raw else "wav",
            "audio_b64": data if is_raw else build_wav(chunk, data),
        }
    raise PluginError(
        ErrorCodes.TTS_SYNTHESIS_FAILED,
        f"The pieces can’t be joined: the first one is {_shape_text(first)}, piece {odd + 1} is "
        f"{_shape_text(pieces[odd])}. Read them one by one (a stream), or make them all of one format",
    )


def _odd_one(pieces: Sequence[Dict[str, Any]], wavs: Sequence[Optional[Wav]]) -> Optional[int]:
    """The first piece that can't just follow the first one."""
    for index, piece in enumerate(pieces):
        if index and (wavs[index] or wavs[0] or _shape_text(piece) != _shape_text(pieces[0])):
            return index
    return None


def _shape_text(piece: Dict[str, Any]) -> str:
    return f"{piece['format']} of {piece['sample_rate']} Hz and {piece['channels']} channel(s)"


def _whole_blocks(wav: Wav) -> Union[bytes, memoryview]:
    """Without what is left of a sample at the end: it would shift all samples of the next file."""
    (block,) = struct.unpack_from("<H", wav.format_chunk, 12)
    return wav.data[: len(wav.data) - len(wav.data) % block] if block > 1 else wav.data


def _plain_sound(piece: Dict[str, Any], wav: Optional[Wav], head: Optional[Wav]) -> Optional[Wav]:
    if wav is not None:
        return wav if wav.is_plain else None
    if piece["format"] != "pcm_s16le" or sniff(piece["audio_b64"]):
        return None
    if head and head.is_plain and ASSUMED_FORMAT in piece.get("warnings", ()):
        # Samples without a header that follow a WAV file go on as it began.
        return Wav(head.encoding, head.channels, head.sample_rate, head.bits, 0, b"", piece["audio_b64"])
    return Wav(1, piece["channels"], piece["sample_rate"], 16, 0, b"", piece["audio_b64"])


def _converted(sound: Wav, rate: int, channels: int) -> bytes:
    """As 16-bit samples. Between two samples goes what lies on the line between them."""
    frames = _frames(sound)
    columns = [frames[each :: sound.channels] for each in range(sound.channels)]
    columns = columns[:channels] + [columns[0]] * (channels - len(columns))
    if sound.sample_rate != rate:
        columns = [_resampled(column, sound.sample_rate, rate) for column in columns]
    joined = array("h", bytes(2 * channels * len(columns[0])))
    for index, column in enumerate(columns):
        joined[index::channels] = array("h", [max(-32768, min(32767, round(each))) for each in column])
    return _little_endian(joined)


def _frames(sound: Wav) -> List[float]:
    """Its samples on the scale of 16 bits, all channels in turn."""
    order = ">" if sound.big_endian else "<"
    size = sound.bits // 8
    data = sound.data[: len(sound.data) - len(sound.data) % (size * sound.channels)]
    if sound.encoding == 3:
        return [each[0] * 32768 for each in struct.iter_unpack(order + ("f" if size == 4 else "d"), data)]
    if size == 1:
        return [(each - 128) * 256.0 for each in data]
    if size == 3:
        byte_order: Any = "big" if sound.big_endian else "little"
        parts = range(0, len(data), 3)
        return [int.from_bytes(data[at : at + 3], byte_order, signed=True) / 256 for at in parts]
    scale = 1 if size == 2 else 65536
    return [each[0] / scale for each in struct.iter_unpack(order + ("h" if size == 2 else "i"), data)]


def _resampled(column: List[float], rate: int, target: int) -> List[float]:
    last = len(column) - 1
    resampled = []
    for index in range(round(len(column) * target / rate)):
        before, rest = divmod(index * rate, target)
        start = column[min(before, last)]
        resampled.append(start + (column[min(before + 1, last)] - start) * (rest / target))
    return resampled
