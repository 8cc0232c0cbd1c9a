"""Messages: one JSON-RPC 2.0 message a line, in bytes."""

from __future__ import annotations

import json
import os
import threading
from binascii import b2a_base64
from typing import Any, Callable, Protocol, Union

from appfactory.errors import PluginError

Id = Union[str, int, float, None]

DEFAULT_MAX_MESSAGE_BYTES = 8 * 1024 * 1024

# Smaller payloads go inside their message, as base64: a second write would cost more.
INLINE_BYTES = 2048

# Deeper nesting is nobody's data, and would overflow the stack of code that walks it.
MAX_DEPTH = 512

_BYTE_ORDER_MARK = "\ufeff"
_BLANK = b" \t\r\n"

# What is shorter can't be nested too deep: each level has two ends.
_LONG = 2 * MAX_DEPTH


class Lines:
    """Splits bytes into lines at LF; parts of an unfinished line are joined once, so that time is linear."""

    def __init__(self, max_bytes: int = DEFAULT_MAX_MESSAGE_BYTES) -> None:
        self.max_bytes = max_bytes
        self._parts: list[bytes] = []
        self._length = 0

    def push(self, chunk: bytes) -> list[bytes | None]:
        """The lines that are complete now; None stands for one that was over the limit."""
        first, *rest = chunk.split(b"\n")
        self._add(first)
        if not rest:
            return []
        lines = [self._finish()]
        last = rest.pop()
        lines.extend(line if len(line) <= self.max_bytes else None for line in rest)
        self._add(last)
        return lines

    def end(self) -> list[bytes | None]:
        """The last line, if it had no LF."""
        return [self._finish()] if self._length > 0 else []

    @property
    def has_part(self) -> bool:
        """Whether a line has begun and not ended."""
        return self._length > 0

    def _add(self, part: bytes) -> None:
        self._length += len(part)
        if self._length > self.max_bytes:
            self._parts.clear()
        elif part:
            self._parts.append(part)

    def _finish(self) -> bytes | None:
        line = None if self._length > self.max_bytes else b"".join(self._parts)
        self._parts.clear()
        self._length = 0
        return line


class InvalidMessage(Exception):
    """A line that is no request or notification. `owed`: whether its sender waits for an answer."""

    def __init__(self, error: PluginError, id: Id = None, owed: bool = True) -> None:
        super().__init__(error.message)
        self.error = error
        self.id = id
        self.owed = owed


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_INFINITY = float("inf")


class _Numbers:
    """Reads numbers with a point or an exponent, and notes those that no double holds."""

    has_infinite = False

    def read(self, text: str) -> float:
        value = float(text)
        if value in (_INFINITY, -_INFINITY):
            self.has_infinite = True
        return value


_numbers = _Numbers()
_decoder: Any = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_numbers.read)
_scan: Callable[[str, int], tuple[Any, int]] = _decoder.scan_once


def parse(line: bytes) -> dict[str, Any] | None:
    """The request or notification in a line; None where it is blank. Raises InvalidMessage."""
    try:
        text = line.decode()
        value, end = _scan(text, 0)
        if end != len(text):
            raise ValueError
    except (ValueError, StopIteration, RecursionError):
        # White space or a byte order mark is around it, or it is no JSON at all.
        value = parse_json(line)
    else:
        if len(text) >= _LONG or "__proto__" in text or "\\u00" in text or _numbers.has_infinite:
            _check_if_unsafe(text, value)
    if value is None:
        return None
    if (
        type(value) is dict
        and value.get("jsonrpc") == "2.0"
        and type(value.get("method")) is str
        and type(value.get("id", 0)) is int
        and type(value.get("params")) is dict
    ):
        # As nearly all are.
        return value
    return _checked(value)


def _checked(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise _invalid(value, "a message is a JSON object")
    if value.get("jsonrpc") != "2.0":
        raise _invalid(value, '"jsonrpc" must be "2.0"')
    if type(value.get("method")) is not str:
        raise _invalid(value, '"method" must be a string')
    if "id" in value and not _is_id(value["id"]):
        raise _invalid(value, '"id" must be a string, a number or null')
    if "params" in value and type(value["params"]) not in (dict, list):
        raise _invalid(value, '"params" must be an object or an array')
    message: dict[str, Any] = value
    return message


def parse_json(line: bytes) -> Any:
    """The JSON in a line; None where it is blank. Raises InvalidMessage, also for JSON that does harm."""
    try:
        text = line.strip(_BLANK).decode()
    except UnicodeDecodeError:
        raise _unparsable("the line is not UTF-8") from None
    if text.startswith(_BYTE_ORDER_MARK):
        text = text[1:].lstrip()
    if text == "":
        return None
    try:
        value, end = _scan(text, 0)
    except RecursionError:
        raise _invalid(None, f"JSON is nested deeper than {MAX_DEPTH} levels") from None
    except (ValueError, StopIteration):
        raise _unparsable("the line is not JSON") from None
    if end != len(text):
        raise _unparsable("the line is not JSON")
    _check_if_unsafe(text, value)
    return value


def _check_if_unsafe(text: str, value: Any) -> None:
    """Checks JSON that may be of a kind that does harm: most is not, and pays little."""
    is_marked = "__proto__" in text or "\\u00" in text or _numbers.has_infinite
    if is_marked or (len(text) >= _LONG and text.count("{") + text.count("[") > MAX_DEPTH):
        _numbers.has_infinite = False
        _check_safe(value)


def _check_safe(root: Any) -> None:
    """JSON that parses and would still do harm: prototypes, numbers beyond a double, nesting without end."""
    level = [root]
    depth = 0
    while level:
        if depth > MAX_DEPTH:
            raise _invalid(root, f"JSON is nested deeper than {MAX_DEPTH} levels")
        following: list[Any] = []
        for value in level:
            if type(value) is float and value in (_INFINITY, -_INFINITY):
                raise _invalid(root, "a number is too large for a double")
            if type(value) is dict:
                if "__proto__" in value:
                    raise _invalid(root, 'the name "__proto__" is not allowed')
                following.extend(value.values())
            elif type(value) is list:
                following.extend(value)
        level = following
        depth += 1


def _is_id(value: Any) -> bool:
    return value is None or type(value) in (str, int, float)


def _unparsable(reason: str) -> InvalidMessage:
    return InvalidMessage(PluginError("PARSE_ERROR", f"Parse error: {reason}"))


def invalid_request(reason: str) -> PluginError:
    """The error of a request that breaks the protocol."""
    return PluginError("INVALID_REQUEST", f"Invalid request: {reason}")


def _invalid(value: Any, reason: str) -> InvalidMessage:
    members = value if type(value) is dict else {}
    id = members.get("id")
    is_response = "method" not in members and ("result" in members or "error" in members)
    is_notification = type(members.get("method")) is str and "id" not in members
    owed = not (is_response or (is_notification and members.get("jsonrpc") == "2.0"))
    return InvalidMessage(invalid_request(reason), id if _is_id(id) else None, owed)


class Numbers(Protocol):
    """Numbers payloads that travel beside their message, and names the nonce of the connection."""

    nonce: str

    def number(self, length: int) -> int:
        """The number of the next payload. Raises MESSAGE_TOO_LARGE."""


_encoder: Any = json.encoder


class Encoder:
    """Writes JSON. Bytes become base64, or references to payloads where the connection has a byte channel."""

    def __init__(self) -> None:
        self.channel: Numbers | None = None
        self.payloads: list[tuple[int, Any]] = []
        make = _encoder.c_make_encoder
        text = _encoder.encode_basestring_ascii
        # One for all messages: `json.dumps` with separators makes one for each.
        self._chunks: Callable[[Any, int], Any] = (
            make(None, self._encode_bytes, text, None, ":", ",", False, False, False)
            if make is not None
            else lambda value, _: json.JSONEncoder(
                default=self._encode_bytes, separators=(",", ":"), allow_nan=False
            ).iterencode(value)
        )

    def encode(self, value: Any) -> str:
        """ASCII without line breaks. Raises TypeError, ValueError or RecursionError where it is not JSON."""
        return "".join(self._chunks(value, 0))

    def take_payloads(self) -> list[tuple[int, Any]]:
        """What travels beside what was encoded since the last time."""
        payloads, self.payloads = self.payloads, []
        return payloads

    def _encode_bytes(self, value: Any) -> Any:
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise TypeError(f"{type(value).__name__} is not JSON")
        data = value if isinstance(value, bytes) else memoryview(value).cast("B")
        if self.channel is None or len(data) < INLINE_BYTES:
            return b2a_base64(data, newline=False).decode("ascii")
        number = self.channel.number(len(data))
        self.payloads.append((number, data))
        return {"$bytes": f"{self.channel.nonce}:{number}", "length": len(data)}


class Writer:
    """Writes lines whole: those of one turn of the event loop together, others at once, from any thread."""

    def __init__(self, fd: int, on_gone: Callable[[], None]) -> None:
        self._fd = fd
        self._on_gone = on_gone
        # Those for the next flush(), without line breaks.
        self.lines: list[str] = []
        self._lock = threading.Lock()
        self._is_gone = False

    def flush(self) -> None:
        """Writes all that is queued. Blocks until the host has room for it."""
        if not self.lines:
            return
        self.lines.append("")
        data = "\n".join(self.lines).encode("ascii")
        self.lines.clear()
        self.write(data)

    def write(self, data: bytes) -> None:
        """Writes whole lines, from any thread."""
        with self._lock:
            if self._is_gone:
                return
            try:
                write_whole(self._fd, data)
            except OSError as error:
                if error.errno is None:
                    # Not the system's: the author's handler of a signal raised a TimeoutError.
                    raise
                self._is_gone = True
        if self._is_gone:
            self._on_gone()


def write_whole(fd: int, data: bytes) -> None:
    """Writes all of `data`. Raises OSError where the other end is gone."""
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])
