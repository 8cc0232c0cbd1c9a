"""The shapes that plugins import, and both orders of bases."""

from __future__ import annotations

import pickle
from enum import Enum

import pytest

import appfactory
import contracts
from contracts.base import HealthStatus, PluginBase, PluginManifest, PluginStatus
from contracts.llm_contract import CompletionOptions, Message, MessageRole
from contracts.tts_contract import AudioFormat, SynthesisOptions, SynthesisResult, TTSContract
from plugins._host.protocol import ErrorCodes, PluginError


class Speaker(TTSContract):
    async def initialize(self, config: dict) -> bool:
        return True

    async def shutdown(self) -> bool:
        return True

    def health_check(self) -> HealthStatus:
        return HealthStatus(self._status)

    async def synthesize(self, text: str, voice_id: str = None) -> bytes:
        return b"RIFF"

    async def get_voices(self) -> list:
        return []


def test_a_guide_plugin_can_be_made_without_set_voice() -> None:
    plugin = Speaker()
    assert (plugin.status, plugin.name, plugin.version, plugin.contract_type) == (
        PluginStatus.UNLOADED,
        "unknown",
        "0.0.0",
        "tts",
    )
    plugin.set_manifest(
        PluginManifest.from_dict(
            {"name": "a", "version": "1.0.0", "contract": "tts", "entry_point": "m", "tags": []}
        )
    )
    assert (plugin.name, plugin.version) == ("a", "1.0.0")
    assert plugin.get_manifest().to_dict()["config_schema"] == {}


def test_the_base_may_stand_before_the_contract() -> None:
    class Scaffold(PluginBase, TTSContract):
        def __init__(self) -> None:
            super().__init__()
            self._status = PluginStatus.CREATED

        initialize = Speaker.initialize
        shutdown = Speaker.shutdown
        health_check = Speaker.health_check
        synthesize = Speaker.synthesize
        get_voices = Speaker.get_voices

    assert Scaffold.__mro__[1:3] == (TTSContract, PluginBase)
    assert Scaffold()._voices == []


def test_only_what_both_dialects_have_is_abstract() -> None:
    life = {"initialize", "shutdown", "health_check"}
    assert contracts.TTSContract.__abstractmethods__ == life | {"synthesize", "get_voices"}
    assert contracts.STTContract.__abstractmethods__ == life | {"transcribe"}
    assert contracts.LLMContract.__abstractmethods__ == life | {"complete", "get_models"}
    assert contracts.EmbeddingContract.__abstractmethods__ == life | {"embed", "get_models"}


def test_options_are_made_of_what_they_know() -> None:
    options = SynthesisOptions.from_dict({"format": "mp3", "speed": None, "colour": "red"})
    assert options == SynthesisOptions(format=AudioFormat.MP3)
    assert CompletionOptions.from_dict({"stop": ["x"]}).stop == ["x"]
    assert Message.from_dict({"role": "user", "content": "Hi"}).to_dict() == {"role": "user", "content": "Hi"}
    assert Message(MessageRole.USER, "Hi").tool_calls == []


def test_results_and_health_become_json() -> None:
    result = SynthesisResult(b"\x01", AudioFormat.WAV, 8000, 10, "Hi", "a")
    assert result.to_dict()["audio_data"] == "AQ=="
    assert HealthStatus(PluginStatus.READY).to_dict()["status"] == "ready"


def test_an_error_takes_a_number_a_name_or_an_enum() -> None:
    class Mine(Enum):
        LONG = 1002

    for code in (1002, "TTS_TEXT_TOO_LONG", Mine.LONG):
        error = PluginError(code, message="Too long")
        assert (error.code, error.code_name, error.message, error.data, str(error)) == (
            1002,
            "TTS_TEXT_TOO_LONG",
            "Too long",
            None,
            "Too long",
        )
    assert PluginError(1002).message == PluginError(1002, None).message == "The text is too long."
    assert PluginError(4711).message == "Error 4711"
    copy = pickle.loads(pickle.dumps(PluginError(1001, "No", {"voices": []})))
    assert (copy.code, copy.data) == (1001, {"voices": []})


@pytest.mark.parametrize("code", [None, True, 1.5, "NO_SUCH_NAME", "__module__", b"1"])
def test_an_error_refuses_other_codes(code: object) -> None:
    with pytest.raises(TypeError, match="integer code or a name"):
        PluginError(code)  # type: ignore[arg-type]


def test_names_are_in_every_place_where_they_are_looked_for() -> None:
    import plugins._host

    assert plugins._host.PluginError is contracts.PluginError is contracts.base.PluginError is PluginError
    assert appfactory.TTSContract is TTSContract
    assert ErrorCodes.STT_AUDIO_INVALID == 1101
    with pytest.raises(AttributeError):
        appfactory.nothing  # noqa: B018
