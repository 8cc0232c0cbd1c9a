"""Arguments are judged as the TypeScript SDK judges them; a test there reads the same table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import pytest

from appfactory.errors import PluginError
from appfactory.plugin.loaded import _read_contract
from appfactory.plugin.methods import Method
from appfactory.plugin.schema import Issues, compile_schema

TABLE = json.loads((Path(__file__).parent / "issues.json").read_text(encoding="utf-8"))


def method_of(contract: str, wire: str) -> Method:
    methods = _read_contract(contract)["methods"]
    return Method(next(each for each in methods if each["wire"] == wire), "mine")


@pytest.mark.parametrize("case", TABLE, ids=lambda case: json.dumps(case["args"])[:40])
def test_issues_are_those_of_the_typescript_sdk(case: Dict[str, Any]) -> None:
    method = method_of(case["contract"], case["method"])
    if not case["issues"]:
        method.decode(case["args"])
        return
    with pytest.raises(PluginError) as caught:
        method.decode(case["args"])
    assert caught.value.code == -32602
    assert caught.value.data == {"plugin": "mine", "method": case["method"], "issues": case["issues"]}
    assert str(caught.value).startswith(f"mine: {case['method']}: ")


def test_defaults_are_filled_in_and_bytes_made() -> None:
    values = method_of("llm", "complete").decode({"prompt": "Hi", "temperature": None}).values
    assert values == {"prompt": "Hi", "max_tokens": 1024, "temperature": 0.7}
    assert method_of("llm", "complete").decode({"prompt": "Hi", "max_tokens": 5.0}).values["max_tokens"] == 5
    assert method_of("stt", "transcribe").decode({"audio_b64": "AQI"}).values == {"audio": b"\x01\x02"}
    assert method_of("stt", "transcribe").decode({"audio_b64": b"raw"}).values == {"audio": b"raw"}
    parts = [{"type": "image", "image_b64": "AQ==", "media_type": "image/png"}]
    values = method_of("llm", "chat").decode({"messages": [{"role": "user", "content": parts}]}).values
    assert values["messages"][0]["content"][0]["image_b64"] == b"\x01"


def test_a_default_is_no_ones_but_the_calls() -> None:
    decode = compile_schema({"type": "object", "properties": {"tags": {"type": "array", "default": []}}})
    decode({}, (), Issues())["tags"].append(1)
    assert decode({}, (), Issues()) == {"tags": []}


def test_a_streamed_argument_stays_out() -> None:
    method = method_of("tts", "synthesize_stream")
    arguments = method.decode({"text": {"$input": True}, "speed": 2})
    assert (arguments.has_input, arguments.values) == (True, {"speed": 2})
    assert method.input_name == "text"
    assert method_of("stt", "transcribe_stream").input_name == "audio_b64"
    assert method_of("stt", "transcribe_stream").decode_input("AQ==") == b"\x01"
    with pytest.raises(PluginError, match="text: must be a string, not 7"):
        method.decode_input(7)
    with pytest.raises(PluginError, match="text: must be a string, not an object"):
        method_of("tts", "synthesize").decode({"text": {"$input": True}})


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        ({"type": "string", "minLength": 2}, "a", "must have at least 2 character(s)"),
        ({"type": "string", "maxLength": 2}, "abc", "must have at most 2 characters"),
        ({"type": "number", "exclusiveMinimum": 0}, 0, "must be more than 0, not 0"),
        ({"type": "number", "exclusiveMaximum": 1}, 1.5, "must be less than 1, not 1.5"),
        ({"type": "number"}, float("nan"), "must be a number, not nan"),
        ({"type": "array", "maxItems": 1}, [1, 2], "takes at most 1 item(s)"),
        ({"type": ["string", "null"]}, 1, "must be a string, not 1"),
        ({"const": 1}, True, "must be 1, not true"),
        ({"type": "boolean"}, 0, "must be true or false, not 0"),
        ({"type": "null"}, "x" * 50, f'must be null, not the string "{"x" * 40}"…'),
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer"}}},
            "1",
            'must be an integer, not the string "1"',
        ),
    ],
)
def test_further_keywords_hold(schema: Dict[str, Any], value: Any, text: str) -> None:
    issues = Issues()
    compile_schema(schema)(value, (), issues)
    assert [each["message"] for each in issues.listed()] == [text]


def test_a_schema_may_contain_itself() -> None:
    tree: Dict[str, Any] = {
        "type": "object",
        "properties": {"next": {"$ref": "#"}},
        "additionalProperties": False,
    }
    deep: Dict[str, Any] = {}
    for _ in range(280):
        deep = {"next": deep}
    issues = Issues()
    compile_schema(tree)(deep, (), issues)
    assert issues.count == 0
    for _ in range(200):
        deep = {"next": deep}
    compile_schema(tree)(deep, (), issues)
    assert issues.listed()[0]["message"] == "is nested more than 300 deep"


def test_a_million_wrong_items_are_counted_not_listed() -> None:
    issues = Issues()
    compile_schema({"type": "array", "items": {"type": "string"}})([1] * 200_000, (), issues)
    assert len(issues.listed()) == 21
    assert issues.listed()[20]["message"] == "and 199980 more"
