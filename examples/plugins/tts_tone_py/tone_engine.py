"""Turns text to tones, the same text to the same tones. Stands for an engine that takes long to load."""

import array
import math

TONE_MS = 80
PAUSE_MS = 60
FADE_MS = 5
"""Fades the ends of a tone, which would click without."""
NORMAL_AMPLITUDE = 0.25 * 32_767
MIDDLE_C = 261.63
SCALE = (0, 2, 4, 7, 9, 12, 14, 16, 19, 21)
"""Two octaves of a pentatonic scale, in semitones: any sequence of its tones sounds well."""

WAVEFORMS = {
    "sine": lambda phase: math.sin(2 * math.pi * phase),
    "square": lambda phase: 1 if phase < 0.5 else -1,
    "triangle": lambda phase: 1 - 4 * abs(phase - 0.5),
    "sawtooth": lambda phase: 2 * phase - 1,
}
"""One period of each wave: the phase runs from 0 to 1, the value from -1 to 1."""


def render(text: str, voice: str, sample_rate: int, speed: float = 1, volume: float = 1) -> array.array:
    """Plays each character as a tone and white space as a pause; returns samples of 16 bits, mono."""
    samples = array.array("h")
    for character in " ".join(text.split()):
        milliseconds = PAUSE_MS if character == " " else TONE_MS
        frames = round(milliseconds * sample_rate / (1000 * speed))
        if character == " ":
            samples.frombytes(bytes(2 * frames))
        else:
            samples.extend(_tone(character, frames, voice, sample_rate, volume))
    return samples


def _tone(character: str, frames: int, voice: str, sample_rate: int, volume: float) -> array.array:
    step = _frequency_of(character) / sample_rate
    fade_frames = FADE_MS * sample_rate / 1000
    wave = WAVEFORMS[voice]
    tone = array.array("h")
    for frame in range(frames):
        fade = min(1, frame / fade_frames, (frames - frame) / fade_frames)
        sample = round(wave(frame * step % 1) * NORMAL_AMPLITUDE * volume * fade)
        tone.append(max(-32_768, min(32_767, sample)))
    return tone


def _frequency_of(character: str) -> float:
    return MIDDLE_C * 2 ** (SCALE[ord(character.lower()[0]) % len(SCALE)] / 12)
