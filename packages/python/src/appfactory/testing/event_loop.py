"""One event loop for the async tests and fixtures of a run."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Coroutine, Iterator
from typing import Any, Callable, TypeVar

Value = TypeVar("Value")


class TestLoop:
    """An event loop, made when first needed. What a fixture begins goes on while a test of it runs."""

    __test__ = False

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, coroutine: Coroutine[Any, Any, Value]) -> Value:
        """Runs a coroutine to its end."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        return self._loop.run_until_complete(coroutine)

    def close(self) -> None:
        """Cancels what still runs, and closes the loop."""
        if self._loop is None:
            return
        loop, self._loop = self._loop, None
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()


def is_async(function: Callable[..., Any]) -> bool:
    """Whether it is an `async def`, with `yield` or without."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def as_plain_fixture(function: Callable[..., Any], loop: TestLoop) -> Callable[..., Any]:
    """The plain function, or generator, that does what an async fixture does."""

    def returning(**values: Any) -> Any:
        return loop.run(function(**values))

    def yielding(**values: Any) -> Iterator[Any]:
        generator: AsyncGenerator[Any, None] = function(**values)
        yield loop.run(begin(generator))
        loop.run(finish(generator))

    return yielding if inspect.isasyncgenfunction(function) else returning


async def begin(generator: AsyncGenerator[Value, None]) -> Value:
    """What an async fixture yields."""
    try:
        return await generator.__anext__()
    except StopAsyncIteration:
        raise ValueError("an async fixture did not yield a value") from None


async def finish(generator: AsyncGenerator[Any, None]) -> None:
    """Runs what stands after the fixture's `yield`."""
    try:
        await generator.__anext__()
    except StopAsyncIteration:
        return
    await generator.aclose()
    raise ValueError("an async fixture yielded more than once")
