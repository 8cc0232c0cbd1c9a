"""Threads for the author's plain functions: one after another, off the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from queue import SimpleQueue
from typing import Any, Callable

from appfactory import trace
from appfactory.runtime import process


class Job:
    """A function that runs in a thread, for a coroutine that waits for it."""

    __slots__ = ("args", "call", "error", "function", "future", "kwargs", "result", "state")

    def __init__(
        self, future: asyncio.Future[None], call: Any, function: Any, args: Any, kwargs: Any
    ) -> None:
        self.future = future
        self.call = call
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.state = "waiting"
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self.function(*self.args, **self.kwargs)
        except BaseException as error:
            self.error = error

    def outcome(self) -> Any:
        """What the function returned; raises what it raised."""
        if self.error is None:
            return self.result
        try:
            raise self.error
        finally:
            # The error holds this frame, and this frame the error.
            self.error = None


class Posts:
    """Calls functions on the event loop for other threads; many calls wake the loop once."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._waiting: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._is_awake = False

    def post(self, function: Callable[..., None], *args: Any) -> None:
        """Calls `function` on the loop soon, in the order of the posts."""
        self._waiting.append((function, args))
        if not self._is_awake and self.loop is not None:
            self._is_awake = True
            try:
                self.loop.call_soon_threadsafe(self.run)
            except RuntimeError:
                # The loop is closed: the process ends.
                pass

    def run(self) -> None:
        """Makes the calls that wait."""
        self._is_awake = False
        waiting = self._waiting
        for _ in range(len(waiting)):
            function, args = waiting.popleft()
            function(*args)
        if waiting and not self._is_awake and self.loop is not None:
            self._is_awake = True
            self.loop.call_soon(self.run)


class Worker:
    """One thread that runs jobs in order. It starts with the first job."""

    def __init__(self, name: str, posts: Posts, on_free: Callable[[], None]) -> None:
        self._name = name
        self._posts = posts
        self._on_free = on_free
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self.current: Job | None = None

    @property
    def is_stuck(self) -> bool:
        """Whether it works for a call that nobody wants any more."""
        job = self.current
        return job is not None and job.call.is_given_up

    async def run(self, call: Any, function: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs a function in the thread. A cancel drops it before it begins, and else waits for its end."""
        future = asyncio.get_running_loop().create_future()
        job = Job(future, call, trace.carried(function), args, kwargs or {})
        self._start()
        self._jobs.put(job)
        cancelled: asyncio.CancelledError | None = None
        while job.state != "done":
            try:
                await asyncio.shield(future)
            except asyncio.CancelledError as error:
                cancelled = error
                if job.state == "waiting":
                    job.state = "dropped"
                    raise
        if cancelled is not None and not call.opens_session:
            raise cancelled
        return job.outcome()

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            thread.start()
            # Not before: where the system has no thread left, the next job tries again.
            self._thread = thread

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            self.current = job
            if job.state == "waiting":
                job.state = "running"
                job.run()
                if process.is_child():
                    process.end_child(job.error)
            self.current = None
            self._posts.post(self._finish, job)

    def _finish(self, job: Job) -> None:
        if job.state == "running":
            job.state = "done"
        if not job.future.done():
            job.future.set_result(None)
        self._on_free()
