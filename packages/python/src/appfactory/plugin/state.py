"""A plugin's state between two of its processes: JSON values and bytes."""

from __future__ import annotations

from typing import Any, List

from appfactory.plugin.values import MAX_DEPTH, to_json


def check_state(state: Any, path: str = "", depth: int = 0) -> Any:
    """`state` as JSON values that hold bytes as they are. Raises TypeError, which names the place."""
    if isinstance(state, (bytes, bytearray, memoryview)):
        return bytes(state)
    if depth > MAX_DEPTH:
        raise TypeError(
            f"capture_state() returned what is nested more than {MAX_DEPTH} deep, or contains itself"
        )
    if isinstance(state, dict):
        return {
            key if isinstance(key, str) else str(key): check_state(
                item, f"{path}.{key}" if path else str(key), depth + 1
            )
            for key, item in state.items()
        }
    if type(state) in (list, tuple):
        items: List[Any] = [
            check_state(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(state)
        ]
        return items
    try:
        return to_json(state, path)
    except TypeError as error:
        raise TypeError(f"capture_state() must return JSON values and bytes, but {error}") from None
