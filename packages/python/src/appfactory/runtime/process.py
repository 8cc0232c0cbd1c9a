"""The process itself: its descriptors, its signals, its children and its end."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import Callable

# How long everything may take after the host has gone, in seconds.
ORPHAN_GRACE = 1.5

_is_windows = os.name == "nt"


class Connection:
    """The descriptors for messages, out of reach of everything else in this process."""

    def __init__(self, input: int, output: int) -> None:
        self.input = input
        self.output = output
        # Those of the host's offers that were taken.
        self.channels: list[str] = []
        self._first_output = output
        self.bytes_fd: int | None = None
        _protected.append(self)

    @property
    def descriptors(self) -> list[int]:
        """All descriptors of the connection."""
        found = {self.input, self.output, self._first_output}
        if self.bytes_fd is not None:
            found.add(self.bytes_fd)
        return sorted(found)

    def move_to(self, fd: int) -> bool:
        """Messages go over `fd` from now on, both ways. Returns False where there is nothing."""
        try:
            os.set_inheritable(fd, False)
            os.set_blocking(fd, True)
        except OSError:
            return False
        os.close(self.input)
        # Its end would tell the host that this process has nothing more to say.
        self._first_output = self.output
        self.input = self.output = fd
        return True


_protected: list[Connection] = []
_is_child = False
# The signals that a thread which forks had blocked before.
_forking = threading.local()


def protect_streams() -> Connection:
    """Takes stdin and stdout for messages: for all others, the first is empty, and the second is the log."""
    connection = Connection(os.dup(0), os.dup(1))
    if _is_windows:
        import msvcrt

        for fd in connection.descriptors:
            msvcrt.setmode(fd, os.O_BINARY)  # type: ignore[attr-defined, unused-ignore]
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    _hide_offers()
    # What is left in the buffer of the original would be lost at the end.
    if sys.__stdout__ is not None:
        sys.__stdout__.reconfigure(line_buffering=True)  # type: ignore[union-attr, unused-ignore]
    return connection


def _hide_offers() -> None:
    """Children must not hold the pipes that the host may have put at descriptors 3 and 4."""
    for fd in () if _is_windows else (3, 4):
        try:
            os.set_inheritable(fd, False)
        except OSError:
            pass


def watch_forks() -> None:
    """A forked child has no part in the connection, and its signals are not this process's."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_leave_connection)
        os.register_at_fork(
            before=_hold_terminate,
            after_in_parent=_release_terminate,
            after_in_child=_release_terminate,
        )


def is_child() -> bool:
    """Whether a method has forked this process: then it is not the plugin any more."""
    return _is_child


def end_child(error: BaseException | None) -> None:
    """Ends a forked child whose method has returned or raised, with the status that a script would have."""
    if isinstance(error, SystemExit):
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        end(error.code if isinstance(error.code, int) else int(error.code is not None))
    if error is not None:
        from appfactory.runtime import logs

        logs.log_thrown("Uncaught error in a forked child", error)
    end(0 if error is None else 1)


def _hold_terminate() -> None:
    """SIGTERM waits while this thread forks: Python drops what a child gets before it has begun."""
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _release_terminate() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _leave_connection() -> None:
    global _is_child
    _is_child = True
    try:
        # The loop of the parent would take the child's signals for its own.
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    except ValueError:
        # Forked from another thread than the main one: `_on_terminate` knows that it is in a child.
        pass
    null = os.open(os.devnull, os.O_RDWR)
    for connection in _protected:
        for fd in connection.descriptors:
            os.dup2(null, fd, inheritable=False)
    os.close(null)


def watch_terminate(leave: Callable[[], None]) -> None:
    """Calls `leave` at SIGTERM; the process is gone after 1.5 s, whatever its threads do."""
    own = os.getpid()

    def on_terminate(_number: int, _frame: object) -> None:
        if os.getpid() != own:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
            return
        leave_soon()
        leave()

    signal.signal(signal.SIGTERM, on_terminate)


def leave_soon() -> None:
    """Ends the process after 1.5 s, whatever happens until then."""
    try:
        threading.Thread(target=_end_after_grace, name="appfactory-end", daemon=True).start()
    except RuntimeError:
        # No thread can be started any more.
        if hasattr(signal, "alarm"):
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(2)


def _end_after_grace() -> None:
    time.sleep(ORPHAN_GRACE)
    os._exit(0)


def end(status: int = 0) -> None:
    """Ends the process now: threads and exit handlers of the author could hold a normal end for ever."""
    from appfactory.runtime import logs

    logs.finish()
    os._exit(status)
