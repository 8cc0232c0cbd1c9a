"""What a host asks of a plugin's process, by method."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Awaitable, Callable

from appfactory import trace
from appfactory.errors import PluginError
from appfactory.runtime import logs
from appfactory.runtime.calls import Call, Slots
from appfactory.runtime.state import decode_state, encode_state
from appfactory.runtime.streams import OutgoingStream, credit_of

if TYPE_CHECKING:
    from appfactory.runtime.server import Server

PROTOCOL_VERSIONS = (1,)


class PluginMethods:
    """Answers the requests of the host from the plugin that was loaded."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._plugin: Any = None
        self._name = ""
        self._shutdown: asyncio.Task[None] | None = None
        # Answers the handshake, once.
        self.on_handshake: Callable[[], Any] | None = None
        self._handlers = {
            "plugin/initialize": self._initialize,
            "plugin/call": self._call,
            "plugin/health": self._health,
            "plugin/capture_state": self._capture_state,
            "plugin/restore_state": self._restore_state,
            "plugin/shutdown": self._stop,
            "plugin/handshake": self._handshake,
        }

    def answer(self, message: dict[str, Any], call: Call) -> Awaitable[Any]:
        """The result of a request. Raises METHOD_NOT_FOUND, and what the method raises."""
        handler = self._handlers.get(message["method"])
        if handler is None:
            raise PluginError("METHOD_NOT_FOUND", f"A plugin has no method {message['method']}")
        params = message.get("params")
        return handler(params if type(params) is dict else {}, call)

    def answer_handshake(self, handshake: dict[str, Any], loaded: Any, version: str) -> dict[str, Any]:
        """Constructs the plugin. Raises PLUGIN_LOAD_FAILED."""
        self._plugin = plugin = loaded.construct()
        self._name = plugin.name
        self._server.slots = Slots(plugin.max_concurrency) if plugin.max_concurrency is not None else None
        nonce = handshake.get("byte_nonce")
        offered = handshake.get("byte_channels") or []
        takes_bytes = "fd3" in offered and isinstance(nonce, str) and nonce != ""
        return {
            "protocol_version": PROTOCOL_VERSIONS[0],
            "sdk_version": version,
            "contract": loaded.descriptor,
            "capabilities": loaded.capabilities,
            "config_schema": None,
            "message_channels": self._server.message_channels,
            "byte_channels": self._server.open_bytes(3, str(nonce)) if takes_bytes else [],
        }

    def explain(self, error: BaseException, message: dict[str, Any]) -> PluginError:
        """The error that the host gets; one that nobody foresaw becomes INTERNAL_ERROR."""
        if isinstance(error, PluginError):
            return error
        name, params = message["method"], message.get("params")
        if name == "plugin/call" and type(params) is dict and isinstance(params.get("method"), str):
            name = params["method"]
        try:
            from appfactory.plugin import explain

            told: PluginError = explain(error, self._name, name)
            return told
        except BaseException:
            logs.log_thrown(f"{name} failed", error)
            data = {"plugin": self._name, "method": name, "error": type(error).__name__}
            return PluginError("INTERNAL_ERROR", f"{self._name}: {name} failed: {logs.describe(error)}", data)

    async def shut_down_once(self, call: Call) -> None:
        """Calls the plugin's `shutdown()`, or waits for the call that was made already."""
        if self._plugin is None:
            return
        if self._shutdown is None:
            self._shutdown = asyncio.ensure_future(self._plugin.shutdown(call))
        await asyncio.shield(self._shutdown)

    async def _handshake(self, _params: dict[str, Any], _call: Call) -> Any:
        answer, self.on_handshake = self.on_handshake, None
        if answer is None:
            raise PluginError("INVALID_REQUEST", "The handshake has been made already")
        return answer()

    async def _initialize(self, params: dict[str, Any], call: Call) -> Any:
        config = params.get("config")
        await self._ready().initialize({} if config is None else config, call)
        return True

    async def _health(self, _params: dict[str, Any], call: Call) -> Any:
        return await self._ready().health(call)

    async def _capture_state(self, params: dict[str, Any], call: Call) -> Any:
        limit = params.get("max_bytes")
        state = await self._ready().capture_state(call)
        return encode_state(state, limit if type(limit) is int else 2**53)

    async def _restore_state(self, params: dict[str, Any], call: Call) -> Any:
        plugin = self._ready()
        await plugin.restore_state(decode_state(params), call)
        return True

    async def _stop(self, _params: dict[str, Any], call: Call) -> Any:
        name = self._name
        reason = PluginError("PLUGIN_NOT_READY", f'Plugin "{name}" is being unloaded', {"plugin": name})
        await self._server.cancel_others(call, reason)
        await self.shut_down_once(call)
        return True

    async def _call(self, params: dict[str, Any], call: Call) -> Any:
        plugin = self._plugin if self._plugin is not None else self._ready()
        if "trace" in params:
            trace.enter(params["trace"])
        method = plugin.find(params.get("method"))
        stream = params.get("stream")
        if stream and method.kind != "stream":
            message = f'stream: {method.wire} answers once; call it without "stream"'
            raise PluginError("INVALID_PARAMS", message)
        outgoing = call.open_stream(credit_of(stream)) if stream else None
        args = params.get("args")
        if args is None:
            args = {}
        elif type(args) is not dict:
            raise PluginError("INVALID_PARAMS", f"args: must be an object, not {str(args)[:40]}")
        if method.input_name is not None and _is_input(args.get(method.input_name)):
            self._server.open_input(call)
        arguments = method.decode(args)
        if method.session == "open":
            return await self._open_session(method, arguments, call)
        if outgoing is None:
            return await method.call(arguments, call)
        return await self._send_pieces(method.stream(arguments, call), call, outgoing)

    async def _open_session(self, method: Any, arguments: Any, call: Call) -> Any:
        call.opens_session = True
        result = await method.call(arguments, call)
        if call.reason is not None:
            await self._close_session(result)
        return result

    async def _close_session(self, opened: Any) -> None:
        """Ends a session that was opened for nobody: no caller knows it, so no caller can."""
        method = self._plugin.session_closer()
        if method is None:
            return
        closing = Call(None, self._server.worker, None, lambda _call: None)
        try:
            await method.call(method.decode({"session_id": opened["session_id"]}), closing)
        except Exception as error:
            logs.log_thrown(f"{method.wire} failed", error)
        finally:
            closing.end()

    async def _send_pieces(self, pieces: Any, call: Call, outgoing: OutgoingStream) -> Any:
        try:
            async for piece in pieces:
                number = await outgoing.take_turn()
                if call.reason is not None:
                    raise call.reason
                sent = self._server.send_piece(call, number, piece)
                if sent is not None:
                    await sent
                # Others get their turn, and the piece goes out before the next one is made.
                await asyncio.sleep(0)
        finally:
            close = getattr(pieces, "aclose", None)
            if close is not None:
                await close()
        return {"pieces": outgoing.count}

    def _ready(self) -> Any:
        if self._plugin is None:
            raise PluginError("PLUGIN_NOT_READY", "The handshake comes first")
        return self._plugin


def check_version(handshake: dict[str, Any]) -> None:
    """Raises PROTOCOL_VERSION_UNSUPPORTED."""
    versions = handshake.get("protocol_versions")
    theirs = versions if isinstance(versions, list) else []
    if any(version in theirs for version in PROTOCOL_VERSIONS):
        return
    spoken = ", ".join(map(str, theirs))
    told = f"the host speaks {spoken}, the plugin’s SDK {', '.join(map(str, PROTOCOL_VERSIONS))}"
    message = f"No protocol version in common: {told}. Update the older of the two"
    raise PluginError("PROTOCOL_VERSION_UNSUPPORTED", message)


def _is_input(value: Any) -> bool:
    return type(value) is dict and "$input" in value
