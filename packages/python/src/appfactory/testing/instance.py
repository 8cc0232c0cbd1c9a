"""The plugin of a test as an object in the test's process, set up as the host would."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

from appfactory.errors import PluginError
from appfactory.plugin.find_class import find_class
from appfactory.plugin.loaded import LoadedClass, Plugin


class DirectCall:
    """Calls the author's code at once, in the loop of the test."""

    async def invoke(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What the function returns, or its coroutine does."""
        result = function(*args, **kwargs)
        return await result if inspect.isawaitable(result) else result


def make_plugin(folder: Path, manifest: dict[str, Any]) -> Plugin:
    """An instance of the plugin's class. Raises what the import raises, or PluginError."""
    found, instance = find_class(import_entry(folder, str(manifest.get("entry_point", ""))), manifest)
    return LoadedClass(found, instance, str(folder), manifest).construct()


def read_manifest(folder: Path) -> dict[str, Any]:
    """The plugin's manifest. Raises MANIFEST_INVALID."""
    file = folder / "manifest.json"
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise PluginError("MANIFEST_INVALID", f"{file}: {error}") from None
    if not isinstance(manifest, dict):
        raise PluginError("MANIFEST_INVALID", f"{file}: must be an object")
    return manifest


def default_config(manifest: dict[str, Any]) -> dict[str, Any]:
    """What a plugin is configured with where nobody says otherwise. A default that is null says nothing."""
    given = manifest.get("default_config")
    own = {key: value for key, value in given.items() if value is not None} if isinstance(given, dict) else {}
    return {**schema_defaults(manifest.get("config_schema")), **own}


def schema_defaults(schema: Any) -> dict[str, Any]:
    """The defaults of an object's properties, and of the objects in it."""
    defaults = {}
    properties = schema.get("properties") if isinstance(schema, dict) else None
    for name, each in (properties or {}).items():
        value = each.get("default") if isinstance(each, dict) else None
        below = schema_defaults(each)
        if value is None and below:
            value = below
        if value is not None:
            defaults[name] = value
    return defaults


def import_entry(folder: Path, entry_point: str) -> ModuleType:
    """The module of the entry point: the one that the tests have imported, whatever they call it."""
    file = entry_file(folder, entry_point)
    for module in list(sys.modules.values()):
        if is_of(module, file):
            return module
    parts = list(file.relative_to(folder).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    for name in (".".join(parts), ".".join([folder.name, *parts])):
        if name and is_findable(name, file):
            return importlib.import_module(name)
    message = f"{file} can't be imported: another module has its name. Import it in the test"
    raise PluginError("PLUGIN_LOAD_FAILED", message)


def entry_file(folder: Path, entry_point: str) -> Path:
    """The file of `main`, `main.py`, `src.main` or `main:Class`. Raises PLUGIN_LOAD_FAILED."""
    module = entry_point.partition(":")[0]
    path = module[:-3] if module.endswith(".py") else module.replace(".", "/")
    files = [folder / f"{path}.py", folder / path / "__init__.py"]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        message = f"{folder / 'manifest.json'}: entry_point: there is no {' or '.join(map(str, files))}"
        raise PluginError("PLUGIN_LOAD_FAILED", f"{message}. The fixture `plugin` is for plugins in Python")
    return found


def is_of(module: ModuleType, file: Path) -> bool:
    """Whether a module came from that file, and has run."""
    own = getattr(module, "__file__", None)
    initializing = getattr(getattr(module, "__spec__", None), "_initializing", False)
    return isinstance(own, str) and not initializing and os.path.abspath(own) == os.path.abspath(file)


def is_findable(name: str, file: Path) -> bool:
    """Whether a module of that name is that file."""
    try:
        spec = importlib.util.find_spec(name)
    except ImportError:
        return False
    return spec is not None and spec.origin == str(file)
