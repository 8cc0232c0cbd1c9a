"""Streams: pieces of an answer, as far as there is credit, and items that arrive while a call runs."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Callable

from appfactory.errors import PluginError

# Items of an input that may arrive before the callee has taken one.
INPUT_WINDOW = 64


def credit_of(stream: Any) -> float:
    """The credit that `stream` of a call gives: infinity for `true`. Raises INVALID_PARAMS."""
    if stream is True:
        return float("inf")
    return read_credit(stream.get("credit") if type(stream) is dict else None)


def read_credit(value: Any) -> int:
    """A whole number above zero. Raises INVALID_PARAMS."""
    if type(value) is int and 0 < value < 2**53:
        return value
    raise PluginError("INVALID_PARAMS", f"credit: must be a whole number above 0, not {value!r}")


class OutgoingStream:
    """Counts the pieces of one answer, and waits for credit."""

    def __init__(self, credit: float) -> None:
        self.count = 0
        self._credit = credit
        self._waiting: asyncio.Future[None] | None = None

    async def take_turn(self) -> int:
        """Waits until one more piece may be sent; returns its number."""
        while self._credit <= 0:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        self._credit -= 1
        number = self.count
        self.count += 1
        return number

    def add_credit(self, pieces: int) -> None:
        """The reader can take more pieces."""
        self._credit += pieces
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class IncomingStream:
    """The items of an argument as they arrive, for one reader. Bytes beside their message are `bytes`."""

    def __init__(self, grant: Callable[[int], None]) -> None:
        self._items: deque[Any] = deque()
        self._grant = grant
        self._expected = 0
        self._taken = 0
        self._has_ended = False
        self._error: PluginError | None = None
        self._waiting: asyncio.Future[None] | None = None

    def push(self, sequence: Any, value: Any) -> None:
        """Takes an item off the wire."""
        if self._has_ended:
            return
        if sequence != self._expected:
            self.fail(_broken(f"piece {self._expected} was expected, not {sequence}"))
        elif len(self._items) >= INPUT_WINDOW:
            self.fail(_broken(f"more than {INPUT_WINDOW} pieces without credit"))
        else:
            self._expected += 1
            self._items.append(value)
            self._wake()

    def end(self) -> None:
        """No item follows."""
        self._has_ended = True
        self._wake()

    def fail(self, error: PluginError) -> None:
        """The reader gets `error` behind the items that have come."""
        if not self._has_ended:
            self._error = error
            self.end()

    def __aiter__(self) -> IncomingStream:
        return self

    async def __anext__(self) -> Any:
        while not self._items:
            if self._has_ended:
                error, self._error = self._error, None
                raise error or StopAsyncIteration
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        item = self._items.popleft()
        self._count_taken()
        return item

    def _count_taken(self) -> None:
        """Credit goes back in halves of the window: that costs few messages, and the sender seldom waits."""
        self._taken += 1
        if self._taken >= INPUT_WINDOW // 2 and not self._has_ended:
            self._grant(self._taken)
            self._taken = 0

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


def _broken(problem: str) -> PluginError:
    return PluginError("INVALID_REQUEST", f"The input is broken: {problem}")
