"""A plugin's state on the wire: JSON, with the bytes in it apart."""

from __future__ import annotations

from json import dumps
from typing import Any

from appfactory.errors import PluginError
from appfactory.runtime.wire import InvalidMessage, parse_json

# JSON that is longer goes as bytes, which need not fit into one message. In bytes.
LONG_JSON = 64 * 1024

Path = tuple[Any, ...]


def encode_state(state: Any, max_bytes: int) -> dict[str, Any]:
    """A state of JSON values and bytes on the wire. Raises HOTSWAP_FAILED and RESOURCE_EXHAUSTED."""
    found: list[dict[str, Any]] = []
    value = _without_bytes(state, (), found, frozenset())
    text = dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
    size = len(text) + sum(len(item["data_b64"]) for item in found)
    if size > max_bytes:
        message = f"The state has {size} bytes; the limit is {max_bytes}"
        raise PluginError("RESOURCE_EXHAUSTED", message, {"bytes": size, "limit": max_bytes})
    return {"state": value, "bytes": found} if len(text) <= LONG_JSON else {"state_b64": text, "bytes": found}


def _without_bytes(value: Any, path: Path, found: list[dict[str, Any]], parents: frozenset[int]) -> Any:
    if isinstance(value, (bytes, bytearray, memoryview)):
        found.append({"path": list(path), "data_b64": bytes(value)})
        return None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float) and value - value == 0:
        return value
    if not isinstance(value, (dict, list, tuple)):
        raise _not_json(f"{value!r}" if isinstance(value, float) else type(value).__name__, path)
    if id(value) in parents or len(path) > 400:
        raise _not_json("a reference to what holds it", path)
    within = parents | {id(value)}
    if isinstance(value, dict):
        return {
            str(key): _without_bytes(item, (*path, str(key)), found, within) for key, item in value.items()
        }
    return [_without_bytes(item, (*path, index), found, within) for index, item in enumerate(value)]


def _not_json(kind: str, path: Path) -> PluginError:
    name = ".".join(map(str, path))
    message = f"capture_state() must return JSON values and bytes, but {name or 'what it returned'} is {kind}"
    return PluginError("HOTSWAP_FAILED", message, {"path": name})


def decode_state(params: dict[str, Any]) -> Any:
    """The state as `restore_state()` gets it. Raises INVALID_PARAMS."""
    root = {"state": _state_of(params)}
    items = params.get("bytes", [])
    for item in items if isinstance(items, list) else []:
        path = item.get("path") if isinstance(item, dict) else None
        if not isinstance(path, list):
            raise PluginError("INVALID_PARAMS", "bytes: each item must have a path")
        _put(root, ["state", *path], bytes_of("bytes", item.get("data_b64")))
    return root["state"]


def _state_of(params: dict[str, Any]) -> Any:
    if params.get("state_b64") is None:
        return params.get("state")
    try:
        return parse_json(bytes_of("state_b64", params["state_b64"]))
    except InvalidMessage as error:
        raise PluginError("INVALID_PARAMS", f"state_b64: {error}") from None


def _put(root: Any, path: list[Any], data: bytes) -> None:
    holder = root
    try:
        for key in path[:-1]:
            holder = holder[key]
        _must_be_there = holder[path[-1]]
        holder[path[-1]] = data
    except (LookupError, TypeError):
        name = ".".join(map(str, path[1:]))
        raise PluginError("INVALID_PARAMS", f"bytes: the state has no place {name}") from None


def bytes_of(path: str, value: Any) -> bytes:
    """The bytes of a `…_b64` member, which came beside the message or as base64. Raises INVALID_PARAMS."""
    if isinstance(value, bytes):
        return value
    from binascii import Error, a2b_base64

    if not isinstance(value, str):
        raise PluginError("INVALID_PARAMS", f"{path}: must be base64, not {type(value).__name__}")
    try:
        return a2b_base64(value)
    except (Error, ValueError):
        raise PluginError("INVALID_PARAMS", f"{path}: must be base64") from None
