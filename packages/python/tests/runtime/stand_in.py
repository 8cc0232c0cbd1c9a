"""Stands in for `appfactory.plugin`: the methods of the class `Plugin` in the entry file."""

from __future__ import annotations

import inspect
import sys
import types
from base64 import b64decode
from pathlib import Path
from typing import Any, ClassVar

from appfactory.errors import PluginError


class Method:
    def __init__(self, function: Any) -> None:
        self.function = function
        self.wire = function.__name__
        self.kind = "stream" if self.wire.startswith("stream") else "call"
        names = list(inspect.signature(function).parameters)
        self.input_name = next((name for name in names if name in ("items", "audio_b64")), None)
        self.session = None

    def decode(self, args: dict[str, Any]) -> dict[str, Any]:
        if args.get("refuse"):
            raise PluginError("INVALID_PARAMS", "refuse: must be absent")
        return {
            name: value for name, value in args.items() if value != {"$input": True} and name != "session_id"
        }

    async def call(self, arguments: dict[str, Any], call: Any) -> Any:
        return await call.invoke(self.function, **self._with_input(arguments, call))

    async def stream(self, arguments: dict[str, Any], call: Any) -> Any:
        async for piece in call.iterate(self.function, **self._with_input(arguments, call)):
            yield piece

    def _with_input(self, arguments: dict[str, Any], call: Any) -> dict[str, Any]:
        return arguments if call.input is None else {**arguments, self.input_name or "": self._items(call)}

    async def _items(self, call: Any) -> Any:
        async for item in call.input:
            yield b64decode(item) if self.input_name == "audio_b64" and isinstance(item, str) else item


class Plugin:
    name = "stand_in"

    def __init__(self, instance: Any) -> None:
        self.instance = instance
        self.max_concurrency = getattr(instance, "max_concurrency", None)
        self._methods: dict[Any, Method] = {}

    def find(self, wire: Any) -> Method:
        method = self._methods.get(wire)
        if method is None:
            function = getattr(self.instance, str(wire), None)
            if function is None:
                raise PluginError("METHOD_NOT_FOUND", f"stand_in has no method {wire}")
            method = self._methods[wire] = Method(function)
        return method

    async def initialize(self, config: Any, call: Any) -> None:
        await self._optional("initialize", call, config)

    async def shutdown(self, call: Any) -> None:
        await self._optional("shutdown", call)

    async def health(self, call: Any) -> Any:
        return await self._optional("health_check", call) or {"status": "READY"}

    async def capture_state(self, call: Any) -> Any:
        return await self._optional("capture_state", call)

    async def restore_state(self, state: Any, call: Any) -> None:
        await self._optional("restore_state", call, state)

    async def _optional(self, name: str, call: Any, *args: Any) -> Any:
        function = getattr(self.instance, name, None)
        return None if function is None else await call.invoke(function, *args)


class LoadedClass:
    descriptor: ClassVar[Any] = {"name": "stand_in", "version": "1.0.0", "description": "", "methods": []}
    capabilities: ClassVar[Any] = ["state"]

    def __init__(self, module: types.ModuleType) -> None:
        self.module = module

    def construct(self) -> Plugin:
        return Plugin(self.module.Plugin())  # type: ignore[attr-defined]


def load(entry_file: str, folder: str, plugins_dir: str, manifest: dict[str, Any]) -> LoadedClass:
    module = types.ModuleType("plugins.stand_in")
    sys.modules[module.__name__] = module
    exec(compile(Path(entry_file).read_text("utf-8"), entry_file, "exec"), module.__dict__)
    return LoadedClass(module)


def explain(error: BaseException, plugin_name: str, method: str) -> PluginError:
    if isinstance(error, ValueError):
        return PluginError("INVALID_PARAMS", str(error))
    return PluginError("INTERNAL_ERROR", f"{plugin_name}: {method} failed: {type(error).__name__}: {error}")
