"""App Factory for Python plugins: `from appfactory import TTSContract, PluginError`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appfactory.errors import ErrorCodes as ErrorCodes
from appfactory.errors import PluginError as PluginError

if TYPE_CHECKING:
    from contracts import *  # noqa: F403


def __getattr__(name: str) -> Any:
    # Only when asked for: the contracts import this package.
    import contracts

    if name in contracts.__all__:
        return getattr(contracts, name)
    raise AttributeError(f"module 'appfactory' has no attribute {name!r}")
