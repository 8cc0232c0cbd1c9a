"""Every Python block of the plugin development guide, as it stands there."""

from __future__ import annotations

import struct
import textwrap
from pathlib import Path

import pytest
from conftest import LIFE, Maker

from appfactory.errors import PluginError

GUIDE = Path(__file__).parent / "guide"

WAV = (
    b"RIFF"
    + struct.pack("<I", 36 + 160)
    + b"WAVEfmt "
    + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)
)
WAV += b"data" + struct.pack("<I", 160) + bytes(160)


def block(name: str) -> str:
    return (GUIDE / f"{name}.txt").read_text(encoding="utf-8")


def in_class(name: str, base: str = "TTSContract", life: str = LIFE) -> str:
    return f"from contracts import *\nimport asyncio\n\nclass Mine({base}):\n{life}\n" + textwrap.indent(
        block(name), "    "
    )


REST = """
    def synthesize(self, text):
        return b""

    def get_voices(self):
        return []
"""


def test_the_quick_start_loads_and_answers(plugins: Maker) -> None:
    running = plugins.run({"__init__.py": block("quick_start")}, entry_point="__init__", name="my_tts_plugin")
    running.run("initialize", {"voice": "anna"})
    health = running.run("health")
    assert (health["status"], health["message"]) == ("READY", "Plugin operational")
    assert health["memory_mb"] > 0
    assert running.call("get_voices") == [{"id": "default", "name": "Default Voice", "language": "en-US"}]
    running.instance._generate_audio = lambda text, voice: WAV
    result = running.call("synthesize", text="Hi")
    assert result["audio_b64"] == WAV
    assert (result["format"], result["sample_rate"], result["channels"], result["duration_ms"]) == (
        "wav",
        8000,
        1,
        10,
    )
    running.run("shutdown")
    assert running.instance.status.name == "STOPPED"


def test_the_complete_example_loads_and_answers(plugins: Maker) -> None:
    loaded = plugins.load(block("complete"))
    assert loaded.capabilities == ["synthesize", "get_voices", "get_voice_info"]
    running = plugins.run(block("complete"), folder="again")
    running.run("initialize", {})
    assert running.run("health")["details"] == {"engine_loaded": False, "voices_count": 0}
    with pytest.raises(AttributeError):
        running.call("synthesize", text="Hi")

    class Engine:
        def get_voices(self) -> list:
            return [{"id": "a", "name": "A", "language": "en"}]

        def synthesize(self, text: str, voice: str) -> bytes:
            return WAV

        def unload(self) -> None:
            pass

    running.instance._load_engine = lambda path: Engine()
    assert running.call("synthesize", text="Hi", voice_id="a")["voice_id"] == "a"
    with pytest.raises(ValueError, match="empty"):
        running.call("synthesize", text=" ")
    with pytest.raises(PluginError) as caught:
        running.call("get_voice_info", voice_id="b")
    assert (caught.value.code, caught.value.data) == (1001, {"voices": ["a"]})
    running.run("shutdown")


@pytest.mark.parametrize(
    ("name", "contract"), [("tts_contract", "tts"), ("stt_contract", "stt"), ("llm_contract", "llm")]
)
def test_the_skeletons_need_only_a_life(plugins: Maker, name: str, contract: str) -> None:
    methods = "".join(f"\n\n{part}" for part in [LIFE])
    loaded = plugins.load(block(name) + methods, contract)
    assert loaded.plugin_class.__name__ == "MyPlugin"
    wires = {each["wire"] for each in loaded.descriptor["methods"]}
    assert set(loaded.capabilities) <= wires
    assert len(loaded.capabilities) >= 3


@pytest.mark.parametrize("name", ["raising_errors", "hot_swap"])
def test_names_that_a_block_does_not_import_are_preset(plugins: Maker, name: str) -> None:
    rest = REST if name == "hot_swap" else REST.partition('return b""')[2]
    loaded = plugins.load(f"{block(name)}\n{LIFE}\n{rest}")
    assert ("state" in loaded.capabilities) == (name == "hot_swap")


def test_raised_errors_keep_their_code(plugins: Maker) -> None:
    rest = REST.partition('return b""')[2]
    running = plugins.run(f"{block('raising_errors')}\n{LIFE}\n{rest}")
    with pytest.raises(ValueError, match="Text cannot be empty"):
        running.call("synthesize", text="")
    with pytest.raises(PluginError, match="Text exceeds") as caught:
        running.call("synthesize", text="x" * 10001)
    assert caught.value.code == 1002


def test_state_is_handed_over(plugins: Maker) -> None:
    running = plugins.run(f"{block('hot_swap')}\n{LIFE}\n{REST}")
    running.run("restore_state", {"cache": {"a": b"\x01"}, "settings": {"speed": 1}})
    assert running.run("capture_state") == {"cache": {"a": b"\x01"}, "settings": {"speed": 1}}


@pytest.mark.parametrize(
    "name",
    [
        "health",
        "receiving_config",
        "fast_initialize",
        "handle_errors",
        "accurate_health",
        "clean_up",
        "async_use",
    ],
)
def test_methods_fit_into_a_class(plugins: Maker, name: str) -> None:
    loaded = plugins.load(in_class(name, life=f"{LIFE}\n{REST}"))
    assert loaded.plugin_class.__name__ == "Mine"
    loaded.construct()


def test_the_base_class_is_a_definition(plugins: Maker) -> None:
    # A class that stands for the contracts' own: it is no plugin.
    with pytest.raises(PluginError, match="has no class that extends a contract"):
        plugins.load(block("plugin_base"))
