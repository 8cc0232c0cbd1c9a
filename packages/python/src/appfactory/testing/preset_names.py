"""Sets the names that the guide uses without importing them, in a plugin's modules and tests."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

from appfactory.plugin.imports import preset_names


class PresetNames:
    """A finder that sets the names before a module runs, whose own definitions replace them."""

    def __init__(self, applies_to: Callable[[Path], bool]) -> None:
        self._applies_to = applies_to
        self._is_searching = False

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec that the other finders have, for modules of plugins and their tests."""
        if self._is_searching:
            return None
        self._is_searching = True
        try:
            spec = next(filter(None, (find_with(each, name, path, target) for each in sys.meta_path)), None)
        finally:
            self._is_searching = False
        if spec is None or spec.loader is None or not spec.has_location or spec.origin is None:
            return None
        if not self._applies_to(Path(spec.origin)):
            return None
        spec.loader = PresettingLoader(spec.loader)  # type: ignore[assignment]
        return spec


def find_with(
    finder: Any, name: str, path: Sequence[str] | None, target: ModuleType | None
) -> ModuleSpec | None:
    """What one finder answers. An old one has no `find_spec`."""
    find_spec = getattr(finder, "find_spec", None)
    spec: ModuleSpec | None = find_spec(name, path, target) if find_spec else None
    return spec


class PresettingLoader:
    """Another loader, with the names set before it runs a module."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def exec_module(self, module: ModuleType) -> None:
        """Runs the module."""
        for name, value in preset_names().items():
            vars(module).setdefault(name, value)
        self._loader.exec_module(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
