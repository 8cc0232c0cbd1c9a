"""The log: stderr. An entry begins with its level as in sd-daemon(3); further lines begin with a space."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
import traceback
from collections.abc import Iterable
from typing import Any

STDERR = 2

# Longer text without a line break is written as it is, so that memory stays bounded.
MAX_PARTIAL = 64 * 1024

_TRACEBACK = "Traceback (most recent call last):"


def write_entry(level: int, text: str) -> None:
    """Writes one entry of the log, in one write. What can't be written is lost."""
    body = text.rstrip("\r\n").replace("\r\n", "\n").replace("\n", "\n ")
    data = f"<{level}>{body}\n".encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(STDERR, data) :]
    except OSError:
        pass


class LogHandler(logging.Handler):
    """Writes each record as one entry, its traceback included."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            write_entry(level_of(record.levelno), self.format(record))
        except Exception:
            self.handleError(record)


class _Formatter(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:
        return record.message if record.name == "root" else f"{record.name}: {record.message}"


def level_of(number: int) -> int:
    """The level on stderr of one of Python's."""
    if number >= logging.CRITICAL:
        return 2
    if number >= logging.ERROR:
        return 3
    if number >= logging.WARNING:
        return 4
    return 6 if number >= logging.INFO else 7


class LogStream(io.TextIOBase):
    """A `sys.stdout` or `sys.stderr` whose lines become entries of the log."""

    encoding = "utf-8"
    errors = "backslashreplace"
    newlines = None
    line_buffering = True
    write_through = True

    def __init__(self, level: int, fd: int) -> None:
        self._level = level
        self._fd = fd
        self._partial = ""
        self._entry: list[str] = []
        self._lock = _new_lock()
        self.mode = "w"
        self.name = "<stdout>" if fd == 1 else "<stderr>"
        self.buffer = LogBuffer(self)

    def write(self, text: str) -> int:
        """Keeps the end without a line break until its line is whole."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with self._lock:
            *lines, self._partial = (self._partial + text).split("\n")
            for line in lines:
                self._take(line)
            if len(self._partial) > MAX_PARTIAL:
                self._take(self._partial)
                self._partial = ""
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]
        for line in lines:
            self.write(line)

    def finish(self) -> None:
        """Writes also the last line, which is not whole."""
        if not self._lock.acquire(timeout=0.1):
            return
        if self._partial:
            self._take(self._partial)
        self._partial = ""
        self._end_entry()
        self._lock.release()

    def start_anew(self) -> None:
        """In a forked child: no thread is left to release the lock, and the parent says what it has begun."""
        self._lock = _new_lock()
        self._partial = ""
        self._entry = []

    def flush(self) -> None:
        """Whole lines are written already."""

    def close(self) -> None:
        """The log stays open."""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._fd

    def reconfigure(self, **_: Any) -> None:
        """Its encoding is always UTF-8."""

    def detach(self) -> Any:
        return self.buffer

    def _take(self, line: str) -> None:
        """Lines of a traceback are one entry, up to the one that is not indented: the error itself."""
        line = line.rstrip("\r")
        if self._entry:
            self._entry.append(line)
            if not line.startswith((" ", "\t")) and line != "":
                self._end_entry()
        elif line.startswith(_TRACEBACK):
            self._entry = [line]
        elif line.strip():
            write_entry(self._level, line)
        if len(self._entry) > 500:
            self._end_entry()

    def _end_entry(self) -> None:
        if self._entry:
            write_entry(self._level, "\n".join(self._entry))
            self._entry = []


def _new_lock() -> threading.RLock:  # type: ignore[valid-type, unused-ignore]
    """Reentrant: a signal's handler may print while its thread prints."""
    return threading.RLock()


class LogBuffer(io.BufferedIOBase):
    """The bytes' side of a LogStream: `sys.stdout.buffer`."""

    def __init__(self, stream: LogStream) -> None:
        self._stream = stream
        self.mode = "wb"
        self.raw = self

    def write(self, data: Any) -> int:
        text = bytes(data).decode("utf-8", "backslashreplace")
        self._stream.write(text)
        return memoryview(data).nbytes

    def flush(self) -> None:
        """Whole lines are written already."""

    def close(self) -> None:
        """The log stays open."""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._stream.fileno()


def set_up() -> None:
    """Makes everything that Python prints, logs or warns of an entry of the log."""
    out, err = LogStream(6, 1), LogStream(4, STDERR)
    sys.stdout, sys.stderr = out, err
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=out.start_anew)
        os.register_at_fork(after_in_child=err.start_anew)
    handler = LogHandler()
    handler.setFormatter(_Formatter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_thread
    sys.unraisablehook = _log_unraisable


def finish() -> None:
    """Writes what the process has said and not ended with a line break."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            stream.finish() if isinstance(stream, LogStream) else stream.flush()  # type: ignore[union-attr]
        except Exception:
            pass


def log_thrown(what: str, error: BaseException) -> None:
    """Logs an error with its stack, as one entry."""
    write_entry(3, f"{what}: {describe(error)}\n{stack_of(error)}")


def describe(error: BaseException) -> str:
    """The message of an error, whatever its own code does."""
    try:
        return str(error) or type(error).__name__
    except Exception:
        return type(error).__name__


def stack_of(error: BaseException) -> str:
    """The stack of an error as Python prints it."""
    try:
        return "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except Exception:
        return type(error).__name__


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    log_thrown("Uncaught error", error)


def _log_thread(args: Any) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        name: str | None = args.thread.name if args.thread else None
        log_thrown(f"Uncaught error in the thread {name or '?'}", args.exc_value)


def _log_unraisable(args: Any) -> None:
    if args.exc_value is not None:
        log_thrown(str(args.err_msg or "Ignored error"), args.exc_value)
