"""Reads the host's messages: on the loop and, while that does not turn, in a thread."""

from __future__ import annotations

import os
import select
import threading
import time
from typing import TYPE_CHECKING, Protocol

from appfactory.runtime.wire import Lines

if TYPE_CHECKING:
    import asyncio

READ_BYTES = 256 * 1024

# How long bytes may wait for the loop until the thread reads them, in seconds.
LOOP_PATIENCE = 0.05


class Taker(Protocol):
    """Takes what was read."""

    def take_in(self, lines: list[bytes | None], chunk: bytes, turns: bool) -> bool:
        """Lines, and the bytes that ended them; `turns`: on the loop. Returns whether that must be told."""

    def take_lines(self) -> None:
        """Acts on the lines. On the loop only."""

    def take_lines_soon(self) -> None:
        """The same, from any thread."""

    def take_end(self) -> None:
        """Nothing follows. From any thread."""


class Reader:
    """Reads where it costs least: to be woken by another thread takes longer than most calls."""

    def __init__(self, fd: int, lines: Lines, taker: Taker) -> None:
        self._fd = fd
        self._lines = lines
        self._taker = taker
        # One for each thread: none may be used by two. Windows has none, so there only the thread reads.
        self._arrival, self._presence = _poll(fd), _poll(fd)
        self._lock = threading.Lock()
        self._patience = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turns = 0
        self._has_ended = False

    def begin(self) -> None:
        """Reads in the thread, as there is no loop yet."""
        threading.Thread(target=self._watch, name="appfactory-read", daemon=True).start()

    def read_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Reads on the loop from now on."""
        if self._presence is None:
            return
        try:
            loop.add_reader(self._fd, self._read_on_loop)
        except (OSError, NotImplementedError):
            # What no loop can wait for, as a file: the thread goes on.
            return
        self._loop = loop
        self._patience = LOOP_PATIENCE

    def _read_on_loop(self) -> None:
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._has_ended and self._loop is not None:
                self._loop.remove_reader(self._fd)
                return
            self._turns += 1
            is_new = self._read(turns=True)
        finally:
            self._lock.release()
        if is_new:
            self._taker.take_lines()

    def _watch(self) -> None:
        """Pings, cancels and the host's end can't wait for a loop that is blocked, or not there yet."""
        while not self._has_ended:
            if self._arrival is not None:
                self._arrival.poll()
                turns = self._turns
                time.sleep(self._patience)
                if turns != self._turns:
                    continue
            with self._lock:
                is_new = not self._has_ended and self._read(turns=False)
            if is_new:
                self._taker.take_lines_soon()

    def _read(self, turns: bool) -> bool:
        """Reads once, if there is something; returns whether the loop must be told."""
        if self._presence is not None and not self._presence.poll(0):
            return False
        try:
            chunk = os.read(self._fd, READ_BYTES)
        except OSError:
            chunk = b""
        lines = self._lines.push(chunk) if chunk else self._lines.end()
        is_new = self._taker.take_in(lines, chunk, turns)
        if not chunk:
            self._has_ended = True
            self._taker.take_end()
        return is_new


def _poll(fd: int) -> select.poll | None:
    if not hasattr(select, "poll"):
        return None
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return poll
