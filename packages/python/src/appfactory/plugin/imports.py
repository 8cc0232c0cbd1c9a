"""Where imports come from: the contracts are ours, and the plugin is the package `plugins.<folder>`."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec, spec_from_file_location
from types import ModuleType
from typing import Any, Optional, Sequence

# The folder that holds the packages appfactory, contracts and plugins.
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def install_finders(entry_file: str, folder: str, plugins_dir: str) -> str:
    """Makes the plugin of `folder` importable. Returns the full name of its entry module."""
    import plugins

    if plugins_dir not in plugins.__path__:
        plugins.__path__.append(plugins_dir)
    package = f"plugins.{os.path.basename(folder)}"
    entry = _module_name(entry_file, folder, package)
    sys.meta_path.insert(0, _PluginFinder(package, folder, entry, entry_file))
    sys.meta_path.append(_FolderAlias(package))
    if folder not in sys.path:
        sys.path.insert(_behind_standard_library(), folder)
    return entry


def _module_name(entry_file: str, folder: str, package: str) -> str:
    path = os.path.splitext(os.path.relpath(entry_file, folder))[0]
    # A full stop would make a package of what is before it.
    parts = [part.replace(".", "_") for part in path.replace("\\", "/").split("/")]
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join([package, *parts])


def _behind_standard_library() -> int:
    """So a plugin's types.py does not stand in for Python's, but its helper.py comes before any package."""
    for index, path in enumerate(sys.path):
        if os.path.basename(path) in ("site-packages", "dist-packages"):
            return index
    return len(sys.path)


class _PluginFinder(MetaPathFinder):
    """Comes first: finds the contracts, whatever is installed, and the plugin itself, whatever its name."""

    def __init__(self, package: str, folder: str, entry: str, entry_file: str) -> None:
        self.package = package
        self.folder = folder
        self.entry = entry
        self.entry_file = entry_file
        self.short = os.path.splitext(os.path.basename(entry_file))[0]

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        if fullname in ("contracts", "plugins"):
            return PathFinder.find_spec(fullname, [ROOT])
        if fullname == self.entry:
            return self._entry_spec()
        if fullname == self.package:
            return self._package_spec()
        return self._alias(fullname, path)

    def _entry_spec(self) -> Optional[ModuleSpec]:
        is_package = os.path.basename(self.entry_file) == "__init__.py"
        return spec_from_file_location(
            self.entry,
            self.entry_file,
            loader=_EntryLoader(self.entry, self.entry_file),
            submodule_search_locations=[os.path.dirname(self.entry_file)] if is_package else None,
        )

    def _package_spec(self) -> Optional[ModuleSpec]:
        code = os.path.join(self.folder, "__init__.py")
        if os.path.isfile(code):
            return spec_from_file_location(self.package, code, submodule_search_locations=[self.folder])
        spec = ModuleSpec(self.package, None, is_package=True)
        spec.submodule_search_locations = [self.folder]
        return spec

    def _alias(self, fullname: str, path: Optional[Sequence[str]]) -> Optional[ModuleSpec]:
        """The same module under another name, so that no code of the plugin runs twice."""
        short = self.package.partition(".")[2]
        if path is None and fullname == self.short:
            spec = PathFinder.find_spec(fullname)
            is_entry = spec is not None and spec.origin == self.entry_file
            return _alias_spec(fullname, self.entry) if is_entry else None
        if fullname.startswith(f"{short}.") and sys.modules.get(short) is sys.modules.get(self.package, ""):
            real = f"plugins.{fullname}"
            return _alias_spec(fullname, real) if find_spec(real) else None
        return None


class _FolderAlias(MetaPathFinder):
    """Comes last: `import <folder>` is the plugin where nothing else has that name."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        return _alias_spec(fullname, self.package) if f"plugins.{fullname}" == self.package else None


def _alias_spec(name: str, real: str) -> ModuleSpec:
    return ModuleSpec(name, _AliasLoader(real))


class _AliasLoader(Loader):
    """Loads what is another module already, and leaves it as it is."""

    def __init__(self, real: str) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.real)
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec


class _EntryLoader(SourceFileLoader):
    """Sets the names that the guide uses without importing them."""

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(preset_names())
        super().exec_module(module)


def preset_names() -> dict[str, Any]:
    """The names that the guide uses without importing them, with their values."""
    from typing import AsyncIterator

    import contracts

    names = (
        "EmbeddingContract",
        "HealthStatus",
        "LLMContract",
        "PluginError",
        "PluginStatus",
        "STTContract",
        "TTSContract",
    )
    return {"AsyncIterator": AsyncIterator, **{name: getattr(contracts, name) for name in names}}
