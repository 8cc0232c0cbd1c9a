"""Imports asyncio without ssl, which takes 4 MB and 7 ms, and which most plugins never need."""

from __future__ import annotations

import importlib
import sys
from typing import Any


class _Late:
    """Stands for a module until somebody looks into it."""

    # The import system looks into what it finds.
    __spec__ = None

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._name), name)


def import_asyncio() -> None:
    """Does nothing where asyncio or ssl are there already."""
    stand_ins: dict[str, Any] = {name: _Late(name) for name in ("ssl", "asyncio.sslproto")}
    if "asyncio" in sys.modules or "ssl" in sys.modules:
        return
    sys.modules.update(stand_ins)
    try:
        import asyncio
    finally:
        for name in stand_ins:
            del sys.modules[name]
    # The import of the real one replaces it.
    asyncio.sslproto = stand_ins["asyncio.sslproto"]  # type: ignore[attr-defined, unused-ignore]
