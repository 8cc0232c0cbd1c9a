"""A plugin's state between two of its processes: JSON values and bytes."""

from __future__ import annotations

from typing import Any, List

from appfactory.plugin.values import MAX_DEPTH, NotJson, to_json


def check_state(state: Any) -> Any:
    """`state` as JSON values that hold bytes as they are. Raises TypeError, which names the place."""
    try:
        return _copy(state, 0)
    except NotJson as error:
        raise TypeError(f"it must return JSON values and bytes, but {error}") from None


def _copy(state: Any, depth: int) -> Any:
    if isinstance(state, (bytes, bytearray, memoryview)):
        return bytes(state)
    if depth > MAX_DEPTH or not isinstance(state, (dict, list, tuple)) or hasattr(state, "_fields"):
        return to_json(state, depth)
    items = state.items() if isinstance(state, dict) else enumerate(state)
    copies: List[Any] = []
    for key, item in items:
        try:
            copies.append((key if isinstance(key, (str, int)) else str(key), _copy(item, depth + 1)))
        except NotJson as error:
            error.path.append(key if isinstance(key, int) else str(key))
            raise
    if isinstance(state, dict):
        return {str(key): item for key, item in copies}
    return [item for _, item in copies]
