"""What authors return becomes JSON, or an error at once that names the place."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import io
import itertools
import json
import pathlib
import types
import uuid
from typing import Any, NamedTuple

import pytest

from appfactory.plugin.health import health_of
from appfactory.plugin.state import check_state
from appfactory.plugin.values import to_json
from contracts.base import HealthStatus, PluginStatus
from contracts.tts_contract import AudioFormat, Voice


class Point(NamedTuple):
    x: int
    y: float


class Colour(str, enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class Sound:
    audio: bytes
    kind: AudioFormat = AudioFormat.WAV


class Scalar:
    """As numpy's: neither a number nor a list."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def tolist(self) -> Any:
        return self.value


class Model:
    def model_dump(self) -> dict:
        return {"a": Scalar(1.5), "raw": b"\x01"}


class Float32(float):
    pass


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (2**53 - 1, 2**53 - 1),
        (float("nan"), None),
        (float("-inf"), None),
        (Float32("nan"), None),
        (Float32(1.5), 1.5),
        ("\ud83d", "\ud83d"),
        (Colour.RED, "red"),
        (Level.LOW, 1),
        (
            {Colour.RED: 1, 2: 2, None: 3, True: 4, (1, 2): 5},
            {"red": 1, "2": 2, "null": 3, "true": 4, "(1, 2)": 5},
        ),
        ({"__proto__": 1, "a": 2}, {"a": 2}),
        (types.MappingProxyType({"a": (1, 2)}), {"a": [1, 2]}),
        (collections.OrderedDict(a={3}), {"a": [3]}),
        (collections.deque([1]), [1]),
        (range(3), [0, 1, 2]),
        ((each for each in "ab"), ["a", "b"]),
        (iter(["a"]), ["a"]),
        (map(str, [1]), ["1"]),
        ({"a": 1}.keys(), ["a"]),
        ({"a": 1}.values(), [1]),
        ({"a": 1}.items(), [["a", 1]]),
        (collections.UserList([(1,)]), [[1]]),
        (enumerate("a"), [[0, "a"]]),
        (Point(1, 2.5), {"x": 1, "y": 2.5}),
        (Sound(b"\x01"), {"audio_b64": b"\x01", "kind": "wav"}),
        (Voice("a", "A", "en"), dataclasses.asdict(Voice("a", "A", "en"))),
        ({"audio": bytearray(b"a"), "b_b64": memoryview(b"b")}, {"audio_b64": b"a", "b_b64": b"b"}),
        ([b"a"], [{"_b64": b"a"}]),
        (Scalar([Scalar(True), float("inf")]), [True, None]),
        (Model(), {"a": 1.5, "raw_b64": b"\x01"}),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime.date(2025, 1, 2), "2025-01-02"),
        (datetime.datetime(2025, 1, 2, 3), "2025-01-02T03:00:00"),
        (datetime.timedelta(seconds=1.5), 1.5),
        (decimal.Decimal("1.5"), 1.5),
        (decimal.Decimal("NaN"), None),
        (fractions.Fraction(1, 2), 0.5),
    ],
    ids=repr,
)
def test_values_become_json(value: Any, expected: Any) -> None:
    found = to_json(value)
    assert found == expected
    assert type(found) is type(expected)
    json.dumps(found, allow_nan=False, default=bytes.hex)


def circle() -> Any:
    value: Any = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [0, {1, 2**53}]}, r"a\[1\]\[\d\]: must be at most 9007199254740991"),
        ({"a": {"b": object()}}, "a.b: must be what JSON can carry, not an object"),
        ([1j], r"\[0\]: must be what JSON can carry, not a complex"),
        (lambda: 1, "not a function"),
        (circle(), "more than 300 deep, or contains itself"),
        (itertools.count(), "takes at most 1000000 items"),
        (io.StringIO("a"), "not a StringIO"),
        (iter(map(str, itertools.count())), "takes at most 1000000 items"),
        (Scalar(None), None),
    ],
)
def test_what_json_can_not_carry_is_named(value: Any, words: Any) -> None:
    if words is None:
        assert to_json(value) is None
        return
    with pytest.raises(TypeError, match=words):
        to_json(value)


def test_a_method_that_returns_itself_ends() -> None:
    class Endless:
        def item(self) -> Any:
            return self

    with pytest.raises(TypeError, match="contains itself"):
        to_json(Endless())


@pytest.mark.parametrize(
    ("health", "status"),
    [
        (HealthStatus(PluginStatus.READY), "READY"),
        ({"status": "ready"}, "READY"),
        ({"status": "SHUTTING_DOWN"}, "SHUTTING_DOWN"),
        ({"status": "healthy"}, "READY"),
        (True, "READY"),
        (False, "ERROR"),
        ("degraded", "READY"),
        (PluginStatus.BUSY, "BUSY"),
    ],
    ids=repr,
)
def test_health_in_every_form(health: Any, status: str) -> None:
    found = health_of(health)
    assert found["status"] == status
    assert found["memory_mb"] > 1
    assert (found["message"], found["details"], found["latency_ms"]) == ("", {}, None)


def test_health_keeps_what_it_is_told() -> None:
    told = HealthStatus(PluginStatus.READY, "ok", {"a": Scalar(float("nan"))}, Float32(2.5), Scalar(256))  # type: ignore[arg-type]
    found = health_of(told)
    assert found == {
        "status": "READY",
        "message": "ok",
        "details": {"a": None},
        "latency_ms": 2.5,
        "memory_mb": 256,
    }


@pytest.mark.parametrize("health", [None, {"status": "fine"}, {}, 7, object()], ids=repr)
def test_health_without_a_known_status_is_an_error(health: Any) -> None:
    with pytest.raises(TypeError, match="one of UNLOADED, INITIALIZING"):
        health_of(health)


def test_state_keeps_its_bytes() -> None:
    state = {"a": (1, b"x"), 2: {"b": bytearray(b"y")}, "c": Point(1, float("nan")), "d": {3}}
    assert check_state(state) == {"a": [1, b"x"], "2": {"b": b"y"}, "c": {"x": 1, "y": None}, "d": [3]}
    with pytest.raises(TypeError, match="JSON values and bytes, but a.b: must be"):
        check_state({"a": {"b": object()}})
    with pytest.raises(TypeError, match="contains itself"):
        check_state(circle())
