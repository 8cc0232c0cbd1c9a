"""What authors' methods return, as the values that a message can carry."""

from __future__ import annotations

import os
import types
from collections import deque
from collections.abc import Iterable, KeysView, Mapping, ValuesView
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Callable, Dict, List

# Larger whole numbers lose digits in JavaScript.
MAX_INTEGER = 2**53 - 1

# Deeper values are refused by the host.
MAX_DEPTH = 400

# Generators may have no end.
MAX_ITEMS = 1_000_000

_BYTES = (bytes, bytearray, memoryview)

Convert = Callable[[Any, str, int], Any]


def to_json(value: Any, path: str = "", depth: int = 0) -> Any:
    """`value` as JSON with bytes under keys that end in `_b64`. Raises TypeError, which names the place."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    convert = _converters.get(kind)
    if convert is None:
        convert = _converters[kind] = _converter_of(kind)
    return convert(value, path, depth)


def _converter_of(kind: type) -> Convert:
    convert: Convert
    for base, convert in _BY_CLASS:
        if issubclass(kind, base):
            return convert
    for base in kind.__mro__:
        by_name = _BY_NAME.get(f"{base.__module__}.{base.__name__}")
        if by_name:
            return by_name
    if issubclass(kind, tuple):
        return _from_named if hasattr(kind, "_fields") else _from_list
    if is_dataclass(kind):
        return _from_dataclass
    for method, convert in _BY_METHOD:
        if callable(getattr(kind, method, None)):
            return convert
    return _refuse


def _from_integer(value: int, path: str, depth: int) -> int:
    if -MAX_INTEGER <= value <= MAX_INTEGER:
        return int(value)
    raise _wrong(
        path, f"must be at most {MAX_INTEGER}, which JSON carries exactly; return larger ones as text"
    )


def _from_float(value: float, path: str, depth: int) -> Any:
    # NaN and the infinities: JSON has none.
    return float(value) if value - value == 0 else None


def _from_bytes(value: Any, path: str, depth: int) -> Any:
    return {"_b64": _plain(value)}


def _plain(value: Any) -> bytes:
    return value if type(value) is bytes else bytes(value)


def _from_mapping(value: Mapping[Any, Any], path: str, depth: int) -> Dict[str, Any]:
    _check_depth(depth)
    converted: Dict[str, Any] = {}
    for key, item in value.items():
        name = key if type(key) is str else _key(key)
        if isinstance(item, _BYTES):
            converted[name if name.endswith("_b64") else f"{name}_b64"] = _plain(item)
        elif name != "__proto__":
            converted[name] = to_json(item, f"{path}.{name}" if path else name, depth + 1)
    return converted


def _key(key: Any) -> str:
    if isinstance(key, Enum):
        return _key(key.value)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return str(key)


def _from_list(value: Iterable[Any], path: str, depth: int) -> List[Any]:
    _check_depth(depth)
    return [to_json(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]


def _from_iterator(value: Iterable[Any], path: str, depth: int) -> List[Any]:
    from itertools import islice

    items = list(islice(value, MAX_ITEMS + 1))
    if len(items) > MAX_ITEMS:
        raise _wrong(path, f"takes at most {MAX_ITEMS} items")
    return _from_list(items, path, depth)


def _from_dataclass(value: Any, path: str, depth: int) -> Any:
    return _from_mapping({each.name: getattr(value, each.name) for each in fields(value)}, path, depth)


def _from_named(value: Any, path: str, depth: int) -> Any:
    return _from_mapping(value._asdict(), path, depth)


def _by(method: str) -> Convert:
    def convert(value: Any, path: str, depth: int) -> Any:
        _check_depth(depth)
        return to_json(getattr(value, method)(), path, depth + 1)

    return convert


def _refuse(value: Any, path: str, depth: int) -> Any:
    kind = type(value)
    raise _wrong(
        path,
        f"must be what JSON can carry, not {'an' if kind.__name__[0] in 'aeiou' else 'a'} {kind.__name__}",
    )


def _wrong(path: str, message: str) -> TypeError:
    return TypeError(f"{path}: {message}" if path else message)


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise TypeError(f"is nested more than {MAX_DEPTH} deep, or contains itself")


_BY_CLASS: List[Any] = [
    (Enum, lambda value, path, depth: to_json(value.value, path, depth)),
    (str, lambda value, path, depth: str.__str__(value)),
    (int, _from_integer),
    (float, _from_float),
    (_BYTES, _from_bytes),
    (Mapping, _from_mapping),
    ((list, set, frozenset, deque, range, KeysView, ValuesView), _from_list),
    ((types.GeneratorType, map, filter, zip), _from_iterator),
    (os.PathLike, lambda value, path, depth: os.fsdecode(value)),
]

# Of modules that a plugin may never load.
_BY_NAME: Dict[str, Convert] = {
    "datetime.date": _by("isoformat"),
    "datetime.time": _by("isoformat"),
    "datetime.timedelta": _by("total_seconds"),
    "decimal.Decimal": _by("__float__"),
    "fractions.Fraction": _by("__float__"),
    "uuid.UUID": _by("__str__"),
}

# Models of pydantic; arrays and single values of numpy, torch and their like.
_BY_METHOD = [("model_dump", _by("model_dump")), ("tolist", _by("tolist")), ("item", _by("item"))]

_converters: Dict[type, Convert] = {
    dict: _from_mapping,
    list: _from_list,
    tuple: _from_list,
    int: _from_integer,
    float: _from_float,
}
