# ruff: noqa: E501
"""Contracts that are none of the three: the class is the contract, described by its signatures."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Call, Maker

from appfactory.errors import PluginError
from appfactory.plugin import explain
from appfactory.plugin.describe import schema_of
from appfactory.plugin.schema import Issues, compile_schema, issues_text

SHOUTER = '''
from typing import AsyncIterator, Dict, List, Optional

limit = 7

async def shout_loudly(self, text: str, times: int = 1, tags: Optional[List[str]] = None) -> dict:
    """Shouts.

    As loudly as it can.
    """
    return {"text": text.upper() * times, "tags": tags, "raw": b"x"}

def hash(self, data: bytes) -> bytes:
    return data[::-1]

async def count(self, until: int):
    for number in range(until):
        yield number

def letters(self, text: str) -> "AsyncIterator[str]":
    return iter(text)

def anything(self, first, *, more: Dict[str, int] = {}, **rest):
    return [first, more, rest]

@property
def hidden(self):
    return 1

def _secret(self): pass
def status_of(self): return 1
def health(self): pass
'''


def test_public_methods_are_the_contract(plugins: Maker) -> None:
    running = plugins.run_methods(SHOUTER, "shouter")
    loaded = plugins.load(
        "from contracts import *\nclass Mine(PluginBase):\n    initialize = shutdown = health_check = print\n"
        + "\n".join(f"    {line}" for line in SHOUTER.split("\n")),
        "shouter",
        folder="again",
        version="2.0.0",
    )
    methods = {each["wire"]: each for each in loaded.descriptor["methods"]}
    names = ["shout_loudly", "hash", "count", "letters", "anything", "status_of"]
    assert (list(methods), loaded.capabilities) == (names, names)
    assert (loaded.descriptor["name"], loaded.descriptor["version"]) == ("shouter", "2.0.0")
    assert methods["shout_loudly"] == {
        "name": "shoutLoudly",
        "wire": "shout_loudly",
        "description": "Shouts.",
        "kind": "call",
        "required": False,
        "idempotent": False,
        "parameters": ["text", "times", "tags"],
        "input": None,
        "bare": None,
        "unwrap": None,
        "session": None,
        "args": {
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "times": {"type": "integer", "default": 1},
                "tags": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["text"],
            "additionalProperties": False,
        },
        "result": {},
        "piece": None,
    }
    assert [each["kind"] for each in methods.values()] == ["call", "call", "stream", "stream", "call", "call"]
    assert running.call("shout_loudly", text="a", tags=None) == {"text": "A", "tags": None, "raw_b64": b"x"}
    assert running.call("hash", data_b64="AQI=") == {"_b64": b"\2\1"}
    assert running.stream("count", until=3) == running.call("count", until=3) == [0, 1, 2]
    assert running.stream("letters", text="ab") == ["a", "b"]
    assert running.call("anything", first=1, second=[2]) == [1, {}, {"second": [2]}]
    with pytest.raises(
        PluginError, match="shout_loudly: times: must be an integer, not true; x: is not known"
    ):
        running.call("shout_loudly", text="a", times=True, x=1)


@pytest.mark.parametrize(
    "name", ["_secret", "hidden", "health", "initialize", "limit", "nothing", "__init__", 7, None]
)
def test_other_names_are_no_methods(plugins: Maker, name: Any) -> None:
    with pytest.raises(PluginError, match="mine has no method") as caught:
        plugins.run_methods(SHOUTER, "shouter").plugin.find(name)
    assert caught.value.code == -32601


def test_defaults_that_json_would_change_are_left_to_python(plugins: Maker) -> None:
    code = """
    import enum
    class Tone(str, enum.Enum): LOW = "low"
    def speak(self, a: int = 2**70, b: float = float("inf"), c: Tone = Tone.LOW, d: int = 3):
        return [a == 2**70, b == float("inf"), type(c).__name__, d]
    """
    running = plugins.run_methods(code, "shouter")
    assert running.call("speak") == [True, True, "Tone", 3]


def test_pieces_that_are_bytes_are_described_so(plugins: Maker) -> None:
    code = """from contracts import *
from typing import AsyncIterator
class Mine(PluginBase):
    initialize = shutdown = health_check = print
    async def chunks(self) -> AsyncIterator[bytes]: yield b"x"
"""
    (method,) = plugins.load(code, "shouter").descriptor["methods"]
    assert method["piece"]["required"] == ["_b64"]


def test_methods_in_camel_case_are_in_snake_case_on_the_wire(plugins: Maker) -> None:
    code = """
    import functools
    def loadModel(self, modelName: str): return modelName
    def getVoices(self): return "not the contract's"
    def get_voices(self): return ["a"]
    async def synthesize(self, text): return b"x"
    @functools.lru_cache()
    def look_up(self, key: int): return key
    """
    running = plugins.run_methods(code, "tts")
    assert running.call("load_model", modelName="big") == "big"
    assert running.call("get_voices")[0]["id"] == "a"
    assert running.call("look_up", key=3) == 3
    with pytest.raises(PluginError, match="load_model"):
        running.plugin.find("loadModel")


def test_further_methods_of_a_shipped_contract(plugins: Maker) -> None:
    code = (
        "def synthesize(self, text):\n    return b''\n\ndef get_voices(self):\n    return []\n\n"
        "def set_voice(self, voice_id: str):\n    self.chosen = voice_id\n    return True\n"
    )
    running = plugins.run_methods(code, "tts")
    assert running.call("set_voice", voice_id="a") is True
    assert running.instance.chosen == "a"
    with pytest.raises(PluginError):
        running.plugin.find("supports_ssml")


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        ("str", {"type": "string"}),
        ("typing.Optional[int]", {"type": "integer"}),
        ("float | None", {"type": "number"}),
        ("Union[bool, None]", {"type": "boolean"}),
        ("'bytes'", {"type": "string", "contentEncoding": "base64"}),
        ("list[bytes]", {"type": "array", "items": {}}),
        ("Dict[str, Any]", {"type": "object"}),
        ("typing.List[typing.Dict[str, int]]", {"type": "array", "items": {"type": "object"}}),
        ("Literal['a']", {}),
        ("int | str", {}),
        ("", {}),
    ],
)
def test_annotations_become_schemas(annotation: str, schema: Any) -> None:
    assert schema_of(annotation) == schema


class Odd(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ValueError("Text cannot be empty"), -32602, "p: m: Text cannot be empty"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), -32603, "'utf-8' codec can't decode"),
        (KeyError("api_key"), -32603, "p: m failed: KeyError: 'api_key' (the stack is in the log of p)"),
        (Odd(), -32603, "p: m failed: Odd, whose text can't be read"),
        (SystemExit(3), -32603, "p: m failed: SystemExit: 3"),
        (RuntimeError(), -32603, "p: m failed: RuntimeError"),
        (KeyboardInterrupt(), -32603, "p: m failed: KeyboardInterrupt"),
        (PluginError(1002, "Too long", {"limit": 5}), 1002, "Too long"),
        (PluginError(4711, "Mine", object()), 4711, "Mine"),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_errors_are_explained(error: BaseException, code: int, message: str) -> None:
    found = explain(error, "p", "m")
    assert found.code == code
    assert message in found.message
    if not isinstance(error, PluginError):
        assert found.data == {"plugin": "p", "method": "m", "error": type(error).__name__}
    elif code == 1002:
        assert found.data == {"limit": 5}
    else:
        assert found.data is None


def test_causes_are_named_once() -> None:
    try:
        try:
            raise OSError("no disk")
        except OSError as error:
            raise RuntimeError("cannot start") from error
    except RuntimeError as error:
        assert "cannot start: no disk (" in explain(error, "p", "m").message


LIVES = [
    ("raise RuntimeError('no')", "mine could not be initialized: no"),
    ("return False", "initialize() returned False"),
    ("raise SystemExit", "SystemExit"),
]


@pytest.mark.parametrize(("body", "message"), LIVES)
def test_an_initialize_that_fails_is_told(plugins: Maker, body: str, message: str) -> None:
    code = f"async def initialize(self, config):\n    {body}\n"
    running = plugins.run_methods(code, "shouter")
    with pytest.raises(PluginError) as caught:
        running.run("initialize", {})
    assert caught.value.code == -32003
    assert message in caught.value.message
    # What the plugin did not throw itself has no place in its code.
    place = caught.value.data.get("place", "")
    assert place.endswith("main.py:15") == (body != "return False")
    assert running.instance.status.name == "ERROR"


def test_failures_of_health_shutdown_and_state_have_their_codes(plugins: Maker) -> None:
    code = (
        "def health_check(self):\n    return 'fine'\n\ndef shutdown(self):\n    raise OSError('busy')\n\n"
        "def capture_state(self):\n    return {'a': [object()]}\n\ndef restore_state(self, state):\n    raise KeyError('a')\n"
    )
    running = plugins.run_methods(code, "shouter")
    for method, args, number, words in (
        ("health", (), -32603, "must return a HealthStatus with one of"),
        ("shutdown", (), -32004, "could not be shut down: busy"),
        ("capture_state", (), -32020, "it must return JSON values and bytes, but a[0]: must be"),
        ("restore_state", ({},), -32020, "KeyError: 'a'"),
    ):
        with pytest.raises(PluginError) as caught:
            running.run(method, *args)
        assert caught.value.code == number
        assert words in caught.value.message
    with pytest.raises(PluginError, match="has no capture_state"):
        plugins.run_methods("x = 1", "shouter", folder="b").run("capture_state")


def test_a_plugin_without_a_constructor_call_has_its_manifest(plugins: Maker) -> None:
    running = plugins.run_methods("x = 1", "shouter", version="3.2.1", tags=["a"])
    assert (running.instance.name, running.instance.version) == ("mine", "3.2.1")
    assert running.plugin.max_concurrency is None
    assert Call().cancelled is False


@pytest.mark.parametrize(
    ("value", "issue"),
    [
        ([], "needs at least 1 item(s)"),
        (["a", "b", "c"], "takes at most 2 item(s)"),
        (0, "must be at least 1, not 0"),
        (True, "must be a string, not true"),
    ],
)
def test_of_several_kinds_the_one_that_a_value_is_of_says_what_is_wrong(value: Any, issue: str) -> None:
    text = {"type": "string"}
    texts = {"type": "array", "items": text, "minItems": 1, "maxItems": 2}
    issues = Issues()
    compile_schema({"anyOf": [text, texts, {"type": "integer", "minimum": 1}]})(value, (), issues)
    assert issues_text(issues.first) == issue
