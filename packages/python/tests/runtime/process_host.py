"""The host's end of a plugin's process, for tests: sends messages, and waits for what is owed for them."""

from __future__ import annotations

import json
import os
import queue
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from textwrap import dedent
from typing import Any

START = Path(__file__).with_name("start.py")
NONCE = "0123456789abcdef"

# A test waits this long for what must come, in seconds. Nothing is asserted about time.
PATIENCE = 30


class ProcessHost:
    def __init__(
        self, folder: Path, source: str, *, fd3: bool = False, fd4: bool = True, **handshake: Any
    ) -> None:
        (folder / "main.py").write_text(dedent(source), "utf-8")
        environment = dict(os.environ)
        self.bytes, theirs_bytes = socket.socketpair()
        self.messages, theirs_messages = socket.socketpair()
        passed = []
        for wanted, end, name in (
            (fd3, theirs_bytes, "TEST_BYTES_FD"),
            (fd4, theirs_messages, "TEST_MESSAGES_FD"),
        ):
            if wanted:
                environment[name] = str(end.fileno())
                passed.append(end.fileno())
        arguments = ["-I", "-X", "utf8", str(START), str(folder / "main.py"), "--dir", str(folder)]
        self.process = subprocess.Popen(
            [os.environ.get("TEST_PYTHON", sys.executable), *arguments, "--plugins-dir", str(folder.parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=environment,
            pass_fds=passed,
            start_new_session=True,
        )
        theirs_bytes.close()
        theirs_messages.close()
        self.log: list[str] = []
        self.noise: list[bytes] = []
        self.unread: list[dict[str, Any]] = []
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._ending = threading.Lock()
        self.last_id = 0
        self._fd4 = False
        self._handshake = {
            "protocol_versions": [1],
            "host_version": "0.0.0",
            "manifest": {"name": "stand_in", "contract": "stand_in", "version": "1.0.0"},
            "max_message_bytes": 8 * 1024 * 1024,
            "message_channels": ["fd4"] if fd4 else [],
            "byte_channels": ["fd3"] if fd3 else [],
            "byte_nonce": NONCE,
            **handshake,
        }
        self._read_in_thread(self._read_log)
        readers = [self._read_stdout, *([self._read_messages] if fd4 else [])]
        # What has come on one of them must not be missed since the other one has ended first.
        self._open_readers = len(readers)
        for read in readers:
            self._read_in_thread(read)

    def __enter__(self) -> ProcessHost:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for end in (self.bytes, self.messages, self.process.stdin, self.process.stdout, self.process.stderr):
            if end is not None:
                end.close()

    def start(self) -> dict[str, Any]:
        """Shakes hands and initializes; returns the result of the handshake."""
        result: dict[str, Any] = self.result("plugin/handshake", self._handshake)
        assert self._fd4 == (result["message_channels"] == ["fd4"])
        assert self.result("plugin/initialize", {"config": {}}) is True
        return result

    def send(self, method: str, params: Any = None) -> int:
        """Sends a request; returns its id."""
        self.write(self.request(method, params))
        return self.last_id

    def request(self, method: str, params: Any = None) -> dict[str, Any]:
        """A request with the next id, which is not sent yet."""
        self.last_id += 1
        return {"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params or {}}

    def call(self, method: str, args: Any = None, **params: Any) -> int:
        return self.send("plugin/call", {"method": method, "args": args or {}, **params})

    def notify(self, method: str, **params: Any) -> None:
        self.write({"jsonrpc": "2.0", "method": method, "params": params})

    def write(self, message: Any) -> None:
        self.write_all([message])

    def write_all(self, messages: list[Any]) -> None:
        """Sends messages in one write."""
        lines = [json.dumps(message, separators=(",", ":")).encode() + b"\n" for message in messages]
        self.write_raw(b"".join(lines))

    def write_raw(self, data: bytes) -> None:
        if self._fd4:
            self.messages.sendall(data)
        else:
            assert self.process.stdin is not None
            self.process.stdin.write(data)
            self.process.stdin.flush()

    def result(self, method: str, params: Any = None) -> Any:
        answer = self.answer(self.send(method, params))
        assert "result" in answer, answer
        return answer["result"]

    def ask(self, method: str, args: Any = None, **params: Any) -> dict[str, Any]:
        """Calls a method of the plugin; returns the answer."""
        return self.answer(self.call(method, args, **params))

    def answer(self, id: int | str | None) -> dict[str, Any]:
        return self.message(lambda message: "method" not in message and message.get("id") == id)

    def piece(self, id: int) -> dict[str, Any]:
        """The params of the next `$/stream` of a call."""
        found = self.message(lambda m: m.get("method") == "$/stream" and m["params"]["id"] == id)
        params: dict[str, Any] = found["params"]
        return params

    def message(self, is_wanted: Any) -> dict[str, Any]:
        """The next message of that kind; others wait in `unread`."""
        for at, message in enumerate(self.unread):
            if is_wanted(message):
                return self.unread.pop(at)
        while True:
            next_message = self._messages.get(timeout=PATIENCE)
            assert next_message is not None, f"the process has ended: {self.log}"
            if is_wanted(next_message):
                return next_message
            self.unread.append(next_message)

    def is_silent(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        try:
            self.unread.append(self._messages.get(timeout=seconds))  # type: ignore[arg-type]
        except queue.Empty:
            return True
        return False

    def rest(self) -> list[dict[str, Any]]:
        """All that came and was not asked for, up to the end of the process."""
        while True:
            message = self._messages.get(timeout=PATIENCE)
            if message is None:
                return self.unread
            self.unread.append(message)

    def wait(self) -> int:
        return self.process.wait(timeout=PATIENCE)

    def hang_up(self) -> None:
        """What becomes of the connection when the host is killed."""
        if self._fd4:
            self.messages.shutdown(socket.SHUT_RDWR)
        elif self.process.stdin is not None:
            self.process.stdin.close()

    def logged(self, part: str) -> str:
        """Waits for an entry of the log."""
        for _ in range(PATIENCE * 100):
            found = next((line for line in list(self.log) if part in line), None)
            if found is not None:
                return found
            threading.Event().wait(0.01)
        raise AssertionError(f"nothing with {part!r} in {self.log}")

    def send_bytes(self, number: int, data: bytes) -> None:
        for at in range(0, len(data), 65536):
            piece = data[at : at + 65536]
            self.bytes.sendall(struct.pack(">IIII", number, len(data), at, len(piece)) + piece)

    def receive_bytes(self) -> tuple[int, bytes]:
        """One payload, whose pieces alternate with no other."""
        return self.receive_payloads(1)[0]

    def receive_payloads(self, count: int) -> list[tuple[int, bytes]]:
        """So many payloads, in the order of their ends."""
        parts: dict[int, bytearray] = {}
        whole: list[tuple[int, bytes]] = []
        while len(whole) < count:
            number, total, offset, length = struct.unpack(">IIII", self._exactly(16))
            data = parts.setdefault(number, bytearray())
            assert offset == len(data)
            data += self._exactly(length)
            if len(data) == total:
                whole.append((number, bytes(data)))
        return whole

    def _exactly(self, count: int) -> bytes:
        self.bytes.settimeout(PATIENCE)
        data = b""
        while len(data) < count:
            part = self.bytes.recv(count - len(data))
            assert part, "the byte channel has ended"
            data += part
        return data

    def _read_in_thread(self, read: Any) -> None:
        threading.Thread(target=read, daemon=True).start()

    def _read_log(self) -> None:
        for line in self.process.stderr:  # type: ignore[union-attr]
            self.log.append(line.decode("utf-8", "replace").rstrip("\n"))

    def _read_stdout(self) -> None:
        self._take(self.process.stdout)

    def _read_messages(self) -> None:
        with self.messages.makefile("rb") as file:
            self._take(self._note_move(file))

    def _note_move(self, lines: Any) -> Any:
        for line in lines:
            # The plugin has taken the offer: what follows goes there too.
            self._fd4 = True
            yield line

    def _take(self, file: Any) -> None:
        for line in file:
            try:
                self._messages.put(json.loads(line))
            except ValueError:
                self.noise.append(line)
        with self._ending:
            self._open_readers -= 1
            if self._open_readers == 0:
                self._messages.put(None)
