"""Errors as they go on the wire: cut to what a person reads."""

from __future__ import annotations

from json import dumps, loads
from typing import Any

from appfactory.errors import PluginError

# Most characters of an error's message, and of each text in its data.
MAX_TEXT = 2000

# Most characters of JSON that an error's data have: what is longer is shortened.
MAX_DATA = 64 * 1024

_MAX_ITEMS = 20
_MAX_DEPTH = 8


def error_object(error: PluginError) -> dict[str, Any]:
    """The `error` of a response. Data that are not JSON are left out."""
    told: dict[str, Any] = {"code": error.code, "message": _short_text(str(error.message))}
    data = _short_data(error.data)
    if data is not None:
        told["data"] = data
    return told


def _short_text(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{_cut(text, MAX_TEXT)} ({len(text)} characters in all)"


def _short_data(data: Any) -> Any:
    if data is None:
        return None
    try:
        text = dumps(data, allow_nan=False)
    except Exception:
        return None
    return data if len(text) <= MAX_DATA else _shorten(loads(text), [MAX_DATA], _MAX_DEPTH)


def _shorten(value: Any, room: list[int], depth: int) -> Any:
    """What `room` has characters for."""
    text = _cut(value, max(0, min(MAX_TEXT, room[0]))) if isinstance(value, str) else ""
    room[0] -= len(text) + 8
    if isinstance(value, str):
        return text
    if not isinstance(value, (dict, list)):
        return value
    if depth == 0 or room[0] <= 0:
        return None
    if isinstance(value, list):
        return [_shorten(item, room, depth - 1) for item in value[:_MAX_ITEMS]]
    return {_cut(key, 100): _shorten(item, room, depth - 1) for key, item in list(value.items())[:_MAX_ITEMS]}


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"
