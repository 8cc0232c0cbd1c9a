"""A real `appfactory-host` over stdio, and the plugins that it runs."""

from __future__ import annotations

import base64
import json
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from appfactory.testing.host_command import host_environment
from plugins._host.protocol import PluginError

# How many pieces of a stream may be sent ahead.
credit = 8


class HostProcess:
    """An `appfactory-host` for one folder of plugins. Each request blocks until it is answered."""

    def __init__(self, command: Sequence[str], plugins_folder: Path, working_folder: Path) -> None:
        self.plugins_folder = plugins_folder
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, closed by close()
        self._lock = threading.RLock()
        self._last_id = 0
        self._process = subprocess.Popen(
            [*command, "--plugins-dir", str(plugins_folder), "--log-dir", "-", "--log-format", "text"],
            cwd=working_folder,
            env=host_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )

    def request(self, method: str, /, **params: Any) -> Any:
        """The result of a request. An error is raised as PluginError."""
        with self._lock:
            self._send({"id": self._next_id(), "method": method, "params": params})
            return self._answer()

    def stream(self, method: str, /, **params: Any) -> Iterator[Any]:
        """The pieces of a streaming method, as they come. Leaving the loop cancels the call."""
        with self._lock:
            request_id = self._next_id()
            self._send(
                {"id": request_id, "method": method, "params": {**params, "stream": {"credit": credit}}}
            )
            try:
                while True:
                    message = self._receive(request_id)
                    if "method" not in message:
                        result_of(message)
                        return
                    yield message["params"]["value"]
                    self._send({"method": "$/credit", "params": {"id": request_id, "n": 1}})
            except GeneratorExit:
                self._send({"method": "$/cancelRequest", "params": {"id": request_id}})
                while "method" in self._receive(request_id):
                    pass
                raise

    def load(self, name: str, config: dict[str, Any] | None = None) -> HostedPlugin:
        """Loads the plugin of that name, in a process of its own."""
        self.request("plugin/load", name=name, **({} if config is None else {"config": config}))
        return HostedPlugin(self, name)

    def log(self) -> str:
        """What the host and its plugins have logged so far."""
        with self._lock:
            self._log.seek(0)
            return self._log.read().decode("utf-8", "replace")

    def close(self) -> None:
        """Unloads all plugins and ends the host."""
        with self._lock:
            if self._process.stdin and not self._process.stdin.closed:
                self._process.stdin.close()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stdout:
                self._process.stdout.close()
            self._log.close()

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _send(self, message: dict[str, Any]) -> None:
        line = json.dumps({"jsonrpc": "2.0", **message}, allow_nan=False) + "\n"
        assert self._process.stdin
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except (BrokenPipeError, OSError):
            raise self._ended() from None

    def _answer(self) -> Any:
        return result_of(self._receive(self._last_id))

    def _receive(self, request_id: int) -> dict[str, Any]:
        """The next message about a request."""
        assert self._process.stdout
        while True:
            line = self._process.stdout.readline()
            if not line:
                raise self._ended()
            message: dict[str, Any] = json.loads(line)
            about = message["params"].get("id") if "method" in message else message.get("id")
            if about == request_id:
                return message

    def _ended(self) -> RuntimeError:
        code = self._process.wait()
        return RuntimeError(
            f"appfactory-host ended with exit code {code}. The end of its log:\n{self.log()[-4000:]}"
        )


class HostedPlugin:
    """A plugin in a process of its own. Its methods have their names on the wire: `plugin.get_voices()`."""

    def __init__(self, host: HostProcess, name: str) -> None:
        self._host = host
        self.name = name

    def call(self, method: str, /, **arguments: Any) -> Any:
        """Calls a method. Bytes are bytes, under the name without `_b64`: `transcribe(audio=recording)`."""
        args = encode_arguments(arguments)
        return decode_bytes(self._host.request("plugin/call", plugin=self.name, method=method, args=args))

    def stream(self, method: str, /, **arguments: Any) -> Iterator[Any]:
        """Calls a streaming method, and yields its pieces as they come."""
        args = encode_arguments(arguments)
        for piece in self._host.stream("plugin/call", plugin=self.name, method=method, args=args):
            yield decode_bytes(piece)

    def health(self) -> dict[str, Any]:
        """What the host says of its health: status, message, details, latency_ms, memory_mb."""
        health: dict[str, Any] = self._host.request("plugin/health", name=self.name)
        return health

    @property
    def state(self) -> str:
        """READY, BUSY, ERROR and so on; UNLOADED once it is unloaded."""
        state: str = self._listed()["status"]
        return state

    @property
    def is_loaded(self) -> bool:
        """Whether the host holds it, running or not."""
        return self._listed()["loaded"] is True

    def _listed(self) -> dict[str, Any]:
        listed = self._host.request("plugin/list", include_invalid=True)
        return next(each for each in listed if each["name"] == self.name)

    def swap(self, config: dict[str, Any] | None = None) -> dict[str, Any]:
        """Starts the plugin anew and hands its state over, as a reload does."""
        settings = {} if config is None else {"config": config}
        outcome: dict[str, Any] = self._host.request("plugin/swap", old=self.name, new=self.name, **settings)
        return outcome

    def unload(self) -> None:
        """Shuts the plugin down, and ends its process."""
        self._host.request("plugin/unload", name=self.name)

    def __getattr__(self, method: str) -> Any:
        if method.startswith("_"):
            raise AttributeError(method)
        return lambda **arguments: self.call(method, **arguments)


def result_of(response: dict[str, Any]) -> Any:
    """The result in a response, or its error, raised."""
    error = response.get("error")
    if error is None:
        return response["result"]
    raise PluginError(error["code"], error["message"], error.get("data"))


def encode_arguments(value: Any) -> Any:
    """With base64 under `…_b64` for bytes."""
    if isinstance(value, dict):
        return dict(encode_member(key, each) for key, each in value.items())
    if isinstance(value, (list, tuple)):
        return [encode_arguments(each) for each in value]
    return base64_text(value) if isinstance(value, (bytes, bytearray, memoryview)) else value


def encode_member(key: str, value: Any) -> tuple[str, Any]:
    """One key with its value."""
    is_bytes = isinstance(value, (bytes, bytearray, memoryview))
    return (f"{key}_b64", base64_text(value)) if is_bytes else (key, encode_arguments(value))


def base64_text(value: Any) -> str:
    """Base64 of bytes."""
    return base64.b64encode(value).decode()


def decode_bytes(value: Any) -> Any:
    """With bytes for the base64 under `…_b64`."""
    if isinstance(value, dict):
        return dict(decode_member(key, each) for key, each in value.items())
    return [decode_bytes(each) for each in value] if isinstance(value, list) else value


def decode_member(key: str, value: Any) -> tuple[str, Any]:
    """One key with its value."""
    if key.endswith("_b64") and isinstance(value, str):
        return key[: -len("_b64")], base64.b64decode(value)
    return key, decode_bytes(value)
