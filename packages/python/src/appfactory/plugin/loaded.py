"""A plugin: its class as the module has it, and its instance as the process runs it."""

from __future__ import annotations

import importlib
import inspect
import os
from json import loads
from typing import Any, AsyncIterator, Callable, Dict, List, Optional, Tuple

from appfactory.errors import ErrorCodes, PluginError
from appfactory.plugin.describe import describe_method, public_methods, wire_name
from appfactory.plugin.find_class import SHIPPED, find_class
from appfactory.plugin.health import health_of
from appfactory.plugin.imports import ROOT, install_finders
from appfactory.plugin.methods import Arguments, Method
from appfactory.plugin.shipped.author import Author, Closing, is_own
from appfactory.plugin.signature import Plan
from appfactory.plugin.state import check_state
from appfactory.plugin.thrown import describe, import_failed, log_thrown, where
from contracts.base import PluginBase, PluginManifest, PluginStatus

Values = Dict[str, Any]

# Which methods of the class stand for which of the wire.
_ADAPTED: Dict[str, Dict[str, Tuple[str, ...]]] = {
    "stt": {
        "start_streaming": ("start_stream",),
        "stop_streaming": ("end_stream",),
        "get_supported_languages": ("get_languages",),
    },
    "llm": {"complete_stream": ("stream_complete", "stream_chat")},
}


def load(entry_file: str, folder: str, plugins_dir: str, manifest: Values) -> LoadedClass:
    """Imports the entry point, and finds the plugin's class in it.

    Raises PluginError CONTRACT_MISMATCH, DEPENDENCY_MISSING or PLUGIN_LOAD_FAILED.
    """
    entry_file, folder, plugins_dir = (os.path.abspath(path) for path in (entry_file, folder, plugins_dir))
    try:
        module = importlib.import_module(install_finders(entry_file, folder, plugins_dir))
        found, instance = find_class(module, manifest)
        return LoadedClass(found, instance, folder, manifest)
    except BaseException as error:
        raise import_failed(error, entry_file, folder, manifest) from None


class LoadedClass:
    """A plugin's class: `descriptor` is its contract as data, `capabilities` what the author wrote."""

    def __init__(self, found: type, instance: Optional[PluginBase], folder: str, manifest: Values) -> None:
        self.plugin_class = found
        self.folder = folder
        self.manifest = manifest
        self._instance = instance
        contract = str(manifest.get("contract"))
        self.base = SHIPPED.get(contract, PluginBase)
        shipped = _read_contract(contract) if contract in SHIPPED else None
        adapted = _ADAPTED.get(contract, {})
        wires = [each["wire"] for each in shipped["methods"]] if shipped else []
        # Further methods by their names on the wire, which are in snake_case.
        self.extras: Dict[str, str] = {}
        for name in public_methods(found, self.base):
            if not {name, wire_name(name)} & {*wires, *adapted}:
                self.extras.setdefault(wire_name(name), name)
        described = [describe_method(_bound(found, name), wire) for wire, name in self.extras.items()]
        self.descriptor: Values = {
            "name": contract,
            "version": shipped["version"] if shipped else str(manifest.get("version", "1.0.0")),
            "description": shipped["description"]
            if shipped
            else (found.__doc__ or "").strip().split("\n")[0],
            "methods": [*(shipped["methods"] if shipped else []), *described],
        }
        self.capabilities = self._capabilities(wires, adapted)

    def _capabilities(self, wires: List[str], adapted: Values) -> List[str]:
        found, base = self.plugin_class, self.base
        stands_for = {wire for name, each in adapted.items() if is_own(found, name, base) for wire in each}
        if self.base is SHIPPED["llm"] and not is_own(found, "chat", base) and _takes_messages(found):
            stands_for.add("chat")
        own = [wire for wire in wires if wire in stands_for or is_own(found, wire, base)]
        has_state = all(callable(getattr(found, name, None)) for name in ("capture_state", "restore_state"))
        return [*own, *self.extras, *(["state"] if has_state else [])]

    def construct(self) -> Plugin:
        """Makes the plugin. Raises PLUGIN_LOAD_FAILED where its constructor does."""
        try:
            instance = self._instance if self._instance is not None else self.plugin_class()
            _complete(instance, self.base)
            instance.set_manifest(PluginManifest.from_dict(self.manifest))
            return Plugin(instance, self)
        except PluginError:
            raise
        except BaseException as error:
            log_thrown(error)
            raise PluginError(
                ErrorCodes.PLUGIN_LOAD_FAILED,
                f"The constructor of {self.plugin_class.__name__} failed: {describe(error)}",
                where(error, self.folder),
            ) from None


def _complete(instance: Any, base: type) -> None:
    """Sets what the contract's constructor sets: the author's may not have called it."""
    blank_class = type("Blank", (base,), {})
    blank_class.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]
    for name, value in vars(blank_class()).items():
        if not hasattr(instance, name):
            setattr(instance, name, value)


def _takes_messages(found: type) -> bool:
    parameters = list(inspect.signature(found.complete).parameters)  # type: ignore[attr-defined]
    return "messages" in parameters[:2]


def _bound(found: type, name: str) -> Callable[..., Any]:
    """A method as an instance has it, without making one: its signature lacks `self`."""
    value = inspect.getattr_static(found, name)
    return value.__get__(object.__new__(object), found)  # type: ignore[no-any-return]


def _read_contract(name: str) -> Values:
    """The table of a shipped contract. Without a build it is in the SDK's own."""
    folder = os.path.join(ROOT, "appfactory", "contracts_data")
    if not os.path.isdir(folder):
        folder = os.path.join(ROOT, "..", "..", "sdk", "dist", "contracts")
    with open(os.path.join(folder, f"{name}.json"), encoding="utf-8") as file:
        table: Values = loads(file.read())
    return table


class Plugin:
    """A plugin that runs. Errors of its code become PluginErrors."""

    def __init__(self, instance: Any, loaded: LoadedClass) -> None:
        self.instance = instance
        self.name = str(loaded.manifest.get("name"))
        self.max_concurrency: Optional[int] = loaded.manifest.get("max_concurrency")
        self._folder = loaded.folder
        self._methods = {each.wire: each for each in self._made(loaded)}

    def _made(self, loaded: LoadedClass) -> List[Method]:
        contract = loaded.descriptor["name"]
        author = Author(self.instance, loaded.base, loaded.descriptor, loaded.manifest)
        shipped: List[Method] = []
        if contract in SHIPPED:
            shipped = importlib.import_module(f"appfactory.plugin.shipped.{contract}").methods_of(author)
        return [*shipped, *(self._extra(author, *names) for names in loaded.extras.items())]

    def _extra(self, author: Author, wire: str, name: str) -> Method:
        descriptor = author.methods[wire]
        known = list(descriptor["args"]["properties"])
        plan = Plan(getattr(self.instance, name), [], known)

        async def answer(arguments: Arguments, call: Any) -> Any:
            args, named = plan.bind(arguments.values, arguments.warnings)
            return await call.invoke(plan.function, *args, **named)

        async def pieces(arguments: Arguments, call: Any) -> AsyncIterator[Any]:
            args, named = plan.bind(arguments.values, arguments.warnings)
            async with Closing(call.iterate(plan.function, *args, **named)) as made:
                async for piece in made:
                    yield piece

        return (
            author.method(wire, None, pieces)
            if descriptor["kind"] == "stream"
            else author.method(wire, answer)
        )

    def session_closer(self) -> Optional[Method]:
        """The method that ends a session, if there is one."""
        return next((method for method in self._methods.values() if method.session == "close"), None)

    def find(self, wire_name: Any) -> Method:
        """The method of that name. Raises METHOD_NOT_FOUND."""
        found = self._methods.get(wire_name) if isinstance(wire_name, str) else None
        if found is not None:
            return found
        name = (
            f'"{wire_name[:100]}"'
            if isinstance(wire_name, str)
            else f"a value of type {type(wire_name).__name__}"
        )
        raise PluginError(
            ErrorCodes.METHOD_NOT_FOUND,
            f"{self.name} has no method {name}; its contract has {', '.join(list(self._methods)[:20])}",
        )

    async def initialize(self, config: Values, call: Any) -> None:
        """Sets the plugin up. Raises PLUGIN_INITIALIZE_FAILED, or the plugin's own PluginError."""
        self._set_status(PluginStatus.INITIALIZING)
        try:
            plan = Plan(self.instance.initialize, ["config"], ["config"])
            args, named = plan.bind({"config": config}, [])
            if await call.invoke(plan.function, *args, **named) is False:
                raise RuntimeError("initialize() returned False")
        except BaseException as error:
            self._set_status(PluginStatus.ERROR)
            what = f"{self.name} could not be initialized"
            raise self._failed(error, ErrorCodes.PLUGIN_INITIALIZE_FAILED, what) from None
        if self._status() in (PluginStatus.INITIALIZING, PluginStatus.UNLOADED):
            self._set_status(PluginStatus.READY)

    async def shutdown(self, call: Any) -> None:
        """Releases the plugin's resources. Raises PLUGIN_SHUTDOWN_FAILED, or the plugin's own PluginError."""
        try:
            await call.invoke(self.instance.shutdown)
        except BaseException as error:
            self._set_status(PluginStatus.ERROR)
            what = f"{self.name} could not be shut down"
            raise self._failed(error, ErrorCodes.PLUGIN_SHUTDOWN_FAILED, what) from None
        self._set_status(PluginStatus.STOPPED)

    async def health(self, call: Any) -> Values:
        """The plugin's health in the form of the wire. Raises INTERNAL_ERROR or the plugin's own error."""
        try:
            return health_of(await call.invoke(self.instance.health_check))
        except BaseException as error:
            data = {"method": "health_check"}
            raise self._method_failed(error, ErrorCodes.INTERNAL_ERROR, "health_check", data) from None

    async def capture_state(self, call: Any) -> Any:
        """The plugin's state: JSON values and bytes. Raises HOTSWAP_FAILED or the plugin's own error."""
        function = self._state_method("capture_state")
        try:
            return check_state(await call.invoke(function))
        except BaseException as error:
            raise self._method_failed(error, ErrorCodes.HOTSWAP_FAILED, "capture_state") from None

    async def restore_state(self, state: Any, call: Any) -> None:
        """Hands the plugin its predecessor's state. Raises HOTSWAP_FAILED or the plugin's own error."""
        function = self._state_method("restore_state")
        try:
            await call.invoke(function, state)
        except BaseException as error:
            raise self._method_failed(error, ErrorCodes.HOTSWAP_FAILED, "restore_state") from None

    def _state_method(self, name: str) -> Callable[..., Any]:
        function = getattr(self.instance, name, None)
        if callable(function):
            return function  # type: ignore[no-any-return]
        raise PluginError(ErrorCodes.METHOD_NOT_FOUND, f"{self.name} has no {name}()")

    def _method_failed(
        self, error: BaseException, code: int, method: str, data: Optional[Values] = None
    ) -> BaseException:
        return self._failed(error, code, f"{method}() of {self.name} failed", data)

    def _failed(
        self, error: BaseException, code: int, what: str, data: Optional[Values] = None
    ) -> BaseException:
        # A cancelled call is the process's business, not the plugin's failure.
        if isinstance(error, PluginError) or type(error).__name__ == "CancelledError":
            return error
        log_thrown(error)
        more = {"error": type(error).__name__, **where(error, self._folder), **(data or {})}
        return PluginError(code, f"{what}: {describe(error)}", {"plugin": self.name, **more})

    def _status(self) -> Any:
        return getattr(self.instance, "_status", None)

    def _set_status(self, status: PluginStatus) -> None:
        """The author's code keeps the status too; where it has none, nothing is lost."""
        try:
            self.instance._status = status
        except Exception:
            pass
