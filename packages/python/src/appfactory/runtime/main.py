"""A plugin's process, from its start to the loop that serves the host."""

from __future__ import annotations

import os
from json import loads
from typing import Any, Callable

from appfactory.errors import PluginError
from appfactory.runtime import logs, process
from appfactory.runtime.plugin_methods import check_version
from appfactory.runtime.server import Server

USAGE = (
    "This file is started by a host: python run.py <entry file> --dir <plugin folder> "
    "--plugins-dir <folder that holds it>"
)


class Options:
    """What the host says in the arguments."""

    def __init__(self, arguments: list[str]) -> None:
        values = dict(zip(arguments[1::2], arguments[2::2]))
        if not arguments or arguments[0].startswith("--") or "--dir" not in values:
            raise SystemExit(USAGE)
        self.entry_file = os.path.abspath(arguments[0])
        self.folder = os.path.abspath(values["--dir"])
        # "listen" or "break" opens a debugger.
        self.debugger = values.get("--debugger")
        self.plugins_dir = os.path.abspath(values.get("--plugins-dir", os.path.dirname(self.folder)))


def main(arguments: list[str]) -> None:
    """Serves the host until it is gone or asks to end. Never returns."""
    options = Options(arguments)
    server = Server(process.protect_streams())
    logs.set_up()
    handshake = server.read_handshake()
    if handshake is None:
        process.end()
        return
    params = handshake.get("params")
    answer = _prepare(server, options, params if type(params) is dict else {})
    server.run(handshake, answer)


def _prepare(server: Server, options: Options, handshake: dict[str, Any]) -> Callable[[], Any]:
    """Loads the plugin's class; what fails becomes the answer to the handshake."""
    if "fd4" in (handshake.get("message_channels") or []) and not server.has_more():
        server.move_to(4)
    server.limit_messages(handshake.get("max_message_bytes"))
    server.begin_reading()
    version = sdk_version()
    try:
        check_version(handshake)
        if options.debugger is not None:
            from appfactory.runtime.debugger import open_debugger

            open_debugger(options.debugger)
        loaded = _load(options, handshake)
    except BaseException as error:
        return _raiser(error)
    return lambda: server.methods.answer_handshake(handshake, loaded, version)


def _load(options: Options, handshake: dict[str, Any]) -> Any:
    from appfactory.plugin import load

    manifest = handshake.get("manifest")
    if not isinstance(manifest, dict):
        raise PluginError("INVALID_PARAMS", "manifest: must be an object")
    asked = manifest.get("permissions")
    if asked is not None:
        from appfactory.runtime.permissions import restrict

        restrict(asked, options.folder)
    return load(options.entry_file, options.folder, options.plugins_dir, manifest)


def _raiser(error: BaseException) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


def sdk_version() -> str:
    """The version of the SDK that brings this runtime along."""
    here = os.path.dirname(os.path.abspath(__file__))
    for path in ("../../../../package.json", "../../../../sdk/package.json"):
        try:
            with open(os.path.join(here, path), encoding="utf-8") as file:
                version: str = loads(file.read())["version"]
                return version
        except (OSError, ValueError, KeyError):
            pass
    return "0.0.0"
