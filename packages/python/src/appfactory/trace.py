"""The span that the call belongs to which runs now, as W3C's Trace Context writes it."""

from __future__ import annotations

from contextvars import ContextVar, copy_context
from typing import Any, Callable, Dict, Optional

_TRACE: ContextVar[Optional[Dict[str, str]]] = ContextVar("appfactory_trace", default=None)


def enter(trace: Any) -> None:
    """What follows in this task belongs to that trace. What is none is passed over."""
    if type(trace) is dict and isinstance(trace.get("traceparent"), str):
        _TRACE.set({key: trace[key] for key in ("traceparent", "tracestate") if key in trace})


def current() -> Optional[Dict[str, str]]:
    """`traceparent`, and `tracestate` where there is one. None: nobody traces the call."""
    return _TRACE.get()


def carried(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function for another thread, where it is to see the trace as well."""
    if _TRACE.get() is None:
        return function
    run = copy_context().run

    def within(*args: Any, **kwargs: Any) -> Any:
        return run(function, *args, **kwargs)

    return within
