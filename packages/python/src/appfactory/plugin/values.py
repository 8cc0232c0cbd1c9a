"""What authors' methods return, as the values that a message can carry."""

from __future__ import annotations

import io
import os
from collections import UserList, deque
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from dataclasses import fields, is_dataclass
from enum import Enum
from math import isfinite
from typing import Any, Callable, Dict, List, Union

from appfactory.plugin.schema import path_text

# Larger whole numbers lose digits in JavaScript.
MAX_INTEGER = 2**53 - 1

# Deeper values are refused by the host.
MAX_DEPTH = 300

# Generators may have no end.
MAX_ITEMS = 1_000_000

_BYTES = (bytes, bytearray, memoryview)

Convert = Callable[[Any, int], Any]


class NotJson(TypeError):
    """A value that JSON can't carry, and where it is. The place is put together on the way out."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.path: List[Union[str, int]] = []

    def __str__(self) -> str:
        place = path_text(tuple(reversed(self.path)))
        return f"{place}: {self.message}" if place else self.message


def to_json(value: Any, depth: int = 0) -> Any:
    """`value` as JSON with bytes under keys that end in `_b64`. Raises NotJson, which names the place."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    convert = _converters.get(kind)
    if convert is None:
        convert = _converters[kind] = _converter_of(kind)
    return convert(value, depth)


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


def _from_integer(value: int, depth: int) -> int:
    if -MAX_INTEGER <= value <= MAX_INTEGER:
        return int(value)
    raise NotJson(f"must be at most {MAX_INTEGER}, which JSON carries exactly; return larger ones as text")


def _from_float(value: float, depth: int) -> Any:
    # NaN and the infinities: JSON has none.
    return float(value) if isfinite(value) else None


def _from_bytes(value: Any, depth: int) -> Any:
    return {"_b64": _plain(value)}


def _plain(value: Any) -> bytes:
    return value if type(value) is bytes else bytes(value)


def _from_mapping(value: Mapping[Any, Any], depth: int) -> Dict[str, Any]:
    _check_depth(depth)
    converted: Dict[str, Any] = {}
    name = ""
    try:
        for key, item in value.items():
            name = key if type(key) is str else _key(key)
            if type(item) is str and name != "__proto__":
                converted[name] = item
            elif isinstance(item, _BYTES):
                converted[name if name.endswith("_b64") else f"{name}_b64"] = _plain(item)
            elif name != "__proto__":
                converted[name] = to_json(item, depth + 1)
    except NotJson as error:
        error.path.append(name)
        raise
    return converted


def _key(key: Any) -> str:
    if isinstance(key, Enum):
        return _key(key.value)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return str(key)


def _from_list(value: Iterable[Any], depth: int) -> List[Any]:
    _check_depth(depth)
    converted: List[Any] = []
    try:
        for item in value:
            converted.append(to_json(item, depth + 1))
    except NotJson as error:
        error.path.append(len(converted))
        raise
    return converted


def _from_iterator(value: Iterable[Any], depth: int) -> List[Any]:
    from itertools import islice

    items = list(islice(value, MAX_ITEMS + 1))
    if len(items) > MAX_ITEMS:
        raise NotJson(f"takes at most {MAX_ITEMS} items")
    return _from_list(items, depth)


def _from_dataclass(value: Any, depth: int) -> Any:
    return _from_mapping({each.name: getattr(value, each.name) for each in fields(value)}, depth)


def _from_named(value: Any, depth: int) -> Any:
    return _from_mapping(value._asdict(), depth)


def _by(method: str) -> Convert:
    def convert(value: Any, depth: int) -> Any:
        _check_depth(depth)
        return to_json(getattr(value, method)(), depth + 1)

    return convert


def _refuse(value: Any, depth: int) -> Any:
    name = type(value).__name__
    raise NotJson(f"must be what JSON can carry, not {'an' if name[0] in 'aeiou' else 'a'} {name}")


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _TooDeep(f"is nested more than {MAX_DEPTH} deep, or contains itself")


class _TooDeep(NotJson):
    """Its place would be as long as it is deep."""

    def __str__(self) -> str:
        return self.message


_BY_CLASS: List[Any] = [
    (Enum, lambda value, depth: to_json(value.value, depth)),
    (str, lambda value, depth: str.__str__(value)),
    (int, _from_integer),
    (float, _from_float),
    (_BYTES, _from_bytes),
    (Mapping, _from_mapping),
    ((list, set, frozenset, deque, range, KeysView, ItemsView, ValuesView, UserList), _from_list),
    # The lines of an open file are nobody's result.
    (io.IOBase, _refuse),
    (Iterator, _from_iterator),
    (os.PathLike, lambda value, depth: os.fsdecode(value)),
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
