"""One request of the host while it is worked on, and how it calls the author's code."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from functools import partial
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from types import CodeType
from typing import TYPE_CHECKING, Any, Callable

from appfactory.errors import PluginError
from appfactory.runtime.streams import IncomingStream, OutgoingStream

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from appfactory.runtime.workers import Worker

# How long a cancelled call may go on before its caller is told that it does not stop, in seconds.
CANCEL_GRACE = 1.0

_ON_LOOP = CO_COROUTINE | CO_ASYNC_GENERATOR


class Slots:
    """Lets at most so many calls run their async methods at a time; the others wait in order."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Waits for a slot."""
        if self._free > 0:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Gives a slot to the next one that waits."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class Call:
    """A request of the host, through which the plugin's methods reach the author's code."""

    # Most calls need few of these: a default costs nothing to make.
    task: asyncio.Task[None] | None = None
    reason: PluginError | None = None
    # Also set by the reader, before the loop gets to hear of the cancel.
    is_given_up = False
    is_answered = False
    # Whether what it makes outlives it: a result that comes after a cancel is looked at.
    opens_session = False
    has_ended = False
    stream: OutgoingStream | None = None
    input: IncomingStream | None = None
    _early_credit = 0
    _has_slot = False
    # The generators that are still open.
    open: list[Pieces] | None = None
    _grace: asyncio.TimerHandle | None = None

    def __init__(
        self, id: Any, worker: Worker, slots: Slots | None, answer_early: Callable[[Call], None]
    ) -> None:
        self.id = id
        self._worker = worker
        self._slots = slots
        self._answer_early = answer_early

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants the answer any more."""
        return self.is_given_up

    async def invoke(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls a function of the author: coroutine functions on the loop, others in the worker thread."""
        code = getattr(function, "__code__", None)
        flags = code.co_flags if type(code) is CodeType else flags_of(function)
        if flags & CO_COROUTINE:
            if self._slots is not None and not self._has_slot:
                await self._enter()
            result = await function(*args, **kwargs)
        else:
            result = await self._worker.run(self, function, args, kwargs)
        while hasattr(type(result), "__await__"):
            # A plain function, such as a decorator's, may return a coroutine.
            await self.enter()
            result = await result
        return result

    def iterate(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Pieces:
        """The pieces that a function makes: an (async) generator, a list, or a coroutine of either."""
        pieces = Pieces(self, partial(function, *args, **kwargs), flags_of(function))
        if self.open is None:
            self.open = []
        self.open.append(pieces)
        return pieces

    async def close_pieces(self) -> None:
        """Closes the generators that are still open."""
        while self.open:
            await self.open.pop().aclose()

    def forget(self, pieces: Pieces) -> None:
        """These pieces are closed already."""
        if self.open is not None and pieces in self.open:
            self.open.remove(pieces)

    def open_stream(self, credit: float) -> OutgoingStream:
        """Begins to answer in pieces."""
        self.stream = OutgoingStream(credit + self._early_credit)
        return self.stream

    def add_credit(self, pieces: int) -> None:
        """The reader can take more pieces."""
        if self.stream is None:
            self._early_credit += pieces
        else:
            self.stream.add_credit(pieces)

    def cancel(self, reason: PluginError) -> None:
        """Cancels the work. Only the first reason counts."""
        if self.reason is not None or self.has_ended:
            return
        self.reason = reason
        self.is_given_up = True
        if self.input is not None:
            self.input.fail(reason)
        if self.task is not None:
            self._grace = self.task.get_loop().call_later(CANCEL_GRACE, self._answer_early, self)
            self.task.cancel()

    def still_working(self) -> PluginError:
        """The answer of a call that does not stop."""
        reason = self.reason or PluginError("REQUEST_CANCELLED", "The request was cancelled")
        message = f"{reason.message}, but the plugin is still working: its method ignores the signal"
        return PluginError(reason.code, message, {"still_working": True})

    def end(self) -> None:
        """The work has ended."""
        self.has_ended = True
        if self._grace is not None:
            self._grace.cancel()
        if self.input is not None:
            self.input.end()
        if self._has_slot and self._slots is not None:
            self._has_slot = False
            self._slots.leave()

    async def enter(self) -> None:
        """Waits for a slot, where the call has none and needs one."""
        if self._slots is not None and not self._has_slot:
            await self._enter()

    async def _enter(self) -> None:
        assert self._slots is not None
        await self._slots.enter()
        self._has_slot = True

    async def in_worker(self, function: Callable[..., Any], *args: Any) -> Any:
        """Calls a plain function in the worker thread."""
        return await self._worker.run(self, function, args)


class Pieces:
    """The pieces of one generator or iterable of the author."""

    def __init__(self, call: Call, make: Callable[[], Any], flags: int) -> None:
        self._call = call
        self._make: Callable[[], Any] | None = make
        self._flags = flags
        self._source: Any = None
        self._is_plain = False

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> Any:
        if self._make is not None:
            make, self._make = self._make, None
            await self._begin(make)
        if self._source is None:
            raise StopAsyncIteration
        if not self._is_plain:
            return await self._source.__anext__()
        piece = await self._call.in_worker(_next_of, self._source)
        if piece is _END:
            self._source = None
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Closes the generator, so that its `finally` runs."""
        self._call.forget(self)
        source, self._source, self._make = self._source, None, None
        close = getattr(source, "close" if self._is_plain else "aclose", None)
        if close is None or isinstance(source, (list, tuple)):
            return
        if self._is_plain:
            await self._call.in_worker(close)
        else:
            await close()

    async def _begin(self, make: Callable[[], Any]) -> None:
        if self._flags & _ON_LOOP:
            await self._call.enter()
            source = make()
        elif self._flags & CO_GENERATOR:
            # Makes the generator, and runs nothing of it yet.
            source = make()
        else:
            source = await self._call.in_worker(make)
        while hasattr(type(source), "__await__") and not hasattr(type(source), "__aiter__"):
            await self._call.enter()
            source = await source
        if hasattr(type(source), "__aiter__"):
            await self._call.enter()
            self._source = source.__aiter__()
            return
        if isinstance(source, (str, bytes, bytearray, memoryview)) or not hasattr(type(source), "__iter__"):
            raise TypeError(f"must return an iterator (an async generator does), not {type(source).__name__}")
        self._is_plain = True
        self._source = await self._call.in_worker(iter, source)


_END = object()


def _next_of(iterator: Any) -> Any:
    return next(iterator, _END)


def flags_of(function: Any) -> int:
    """The flags of the code that a call of `function` runs: whether it is a coroutine or a generator."""
    code = getattr(function, "__code__", None)
    while code is None and isinstance(function, partial):
        function = function.func
        code = getattr(function, "__code__", None)
    if code is None:
        target = getattr(function, "__func__", None) or getattr(type(function), "__call__", None)  # noqa: B004
        code = getattr(target, "__code__", None)
    flags = getattr(code, "co_flags", 0)
    return flags if isinstance(flags, int) else 0


if sys.version_info >= (3, 12):

    def start(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Makes a task, whose first step runs now."""
        return asyncio.Task(work, loop=loop, eager_start=True)

else:

    def start(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Makes a task, whose first step runs now: it is taken from what the task puts on the loop."""
        steps: list[Any] = []
        take: Any = lambda step, context=None: steps.append((context, step))  # noqa: E731
        loop.call_soon = take  # type: ignore[method-assign]
        try:
            task: asyncio.Task[None] = asyncio.Task(work, loop=loop)
        finally:
            del loop.call_soon
        context, step = steps[0]
        context.run(step)
        return task
