"""The plugin's end of the connection: takes the host's messages, and answers each request exactly once."""

from __future__ import annotations

import asyncio
import json
import os
import warnings
from collections import deque
from contextvars import copy_context
from sys import getrefcount
from time import monotonic
from typing import Any, Callable

from appfactory.errors import PluginError
from appfactory.runtime import logs, process
from appfactory.runtime.calls import Call, Slots, start
from appfactory.runtime.held import HeldMessages
from appfactory.runtime.plugin_methods import PluginMethods
from appfactory.runtime.raw_bytes import ByteReceiver, ByteSender
from appfactory.runtime.reader import READ_BYTES, Reader
from appfactory.runtime.replies import error_object
from appfactory.runtime.streams import IncomingStream, read_credit
from appfactory.runtime.wire import Encoder, Id, InvalidMessage, Lines, Writer, invalid_request, parse
from appfactory.runtime.workers import Posts, Worker

# Longer lines are neither a ping nor a cancel.
_URGENT_BYTES = 300

_PING, _CANCEL = b'"plugin/ping"', b'"$/cancelRequest"'

# Answers wait for others of the same turn, but not longer than this, in seconds.
_TURN = 0.001

# How long cancelled calls may take to end when the process ends, in seconds.
_CALLS_GRACE = 0.5


class Server:
    """Works on the loop of the main thread."""

    def __init__(self, connection: process.Connection) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self.lines = Lines()
        self.posts = Posts()
        self.calls: dict[Id, Call] = {}
        self.slots: Slots | None = None
        self.worker = Worker("appfactory-calls", self.posts, self._answer_pings)
        self.health_worker = Worker("appfactory-health", self.posts, _nothing)
        self._connection = connection
        self._encoder = Encoder()
        self._max_bytes = self.lines.max_bytes
        self._writer = Writer(connection.output, self._on_gone)
        self.methods = PluginMethods(self)
        self._working: set[Call] = set()
        self._batches: deque[list[bytes | None]] = deque()
        self._is_taking = False
        # Which task works on the batch.
        self._turn = 0
        self._waiting_pings: list[Id] = []
        self._reader: Reader | None = None
        self._held: HeldMessages | None = None
        self._sender: ByteSender | None = None
        self._is_leaving = False
        process.watch_forks()

    # Before the loop runs

    def read_handshake(self) -> dict[str, Any] | None:
        """Waits for the handshake; all other requests come too early. None: the input has ended."""
        while True:
            chunk = os.read(self._connection.input, READ_BYTES)
            lines = self.lines.push(chunk) if chunk else self.lines.end()
            for at, line in enumerate(lines):
                message = self._read_early(line)
                if message is not None:
                    self._batches.append(lines[at + 1 :])
                    return message
            if not chunk:
                return None

    def has_more(self) -> bool:
        """Whether the host has sent more than the handshake: then it does not wait for the answer."""
        return self.lines.has_part or any(self._batches)

    def move_to(self, fd: int) -> None:
        """Takes the host's offer to move the messages to another descriptor, if there is one."""
        if self._connection.move_to(fd):
            self._connection.channels = [f"fd{fd}"]
            self._writer = Writer(fd, self._on_gone)

    def limit_messages(self, max_bytes: Any) -> None:
        """The longest line, both ways, in bytes."""
        if type(max_bytes) is int and max_bytes > 0:
            self._max_bytes = self.lines.max_bytes = max_bytes

    def begin_reading(self) -> None:
        """Reads beside the main thread from now on."""
        self._reader = Reader(self._connection.input, self.lines, self)
        self._reader.begin()

    def _read_early(self, line: bytes | None) -> dict[str, Any] | None:
        try:
            message = parse(line) if line is not None else None
        except InvalidMessage as error:
            if error.owed:
                self._answer_error(error.id, error.error)
            message = None
        if message is None or "id" not in message or message["method"] == "plugin/handshake":
            return message if message is not None and "id" in message else None
        if message["method"] == "plugin/ping":
            self._send_result(message["id"], "pong")
        elif message["method"] == "plugin/shutdown":
            self._send_result(message["id"], True)
            self._writer.flush()
            process.end()
        else:
            self._answer_error(message["id"], PluginError("PLUGIN_NOT_READY", "The handshake comes first"))
        self._writer.flush()
        return None

    # Where the reader reads: on the loop, or in its thread

    def take_in(self, lines: list[bytes | None], chunk: bytes, turns: bool) -> bool:
        """Lines go to the loop; what may not wait for it is acted on here."""
        # The first line may have begun in an earlier chunk.
        looked_at = lines if _PING in chunk or _CANCEL in chunk else lines[:1]
        left = [line for line in looked_at if not self._act_at_once(line, turns)] + lines[len(looked_at) :]
        if left:
            self._batches.append(left)
        return len(self._batches) == 1 and bool(left)

    def take_lines_soon(self) -> None:
        """Acts on the lines that have come. From any thread."""
        self.posts.post(self.take_lines)

    def take_end(self) -> None:
        """The host has closed the connection. From any thread."""
        self._on_gone()

    def _act_at_once(self, line: bytes | None, turns: bool) -> bool:
        """Notes a cancel; answers a ping where the loop turns, or a call that is not given up may block it.

        Returns whether nothing is left to do.
        """
        if line is None or len(line) > _URGENT_BYTES:
            return False
        is_ping = _PING in line
        if not is_ping and _CANCEL not in line:
            return False
        try:
            message = parse(line)
        except InvalidMessage:
            return False
        if message is None:
            return False
        if message["method"] == "$/cancelRequest" and type(message.get("params")) is dict:
            id = message["params"].get("id")
            call = self.calls.get(id) if _is_hashable(id) else None
            if call is not None:
                call.is_given_up = True
        elif (
            is_ping
            and type(message.get("id")) in (int, str)
            and message["method"] == "plugin/ping"
            and self._is_well(turns)
        ):
            # Not with the encoder, which is the loop's.
            text = json.dumps(message["id"])
            self._writer.write(f'{{"jsonrpc":"2.0","id":{text},"result":"pong"}}\n'.encode())
            return True
        return False

    def _is_well(self, turns: bool) -> bool:
        if self.worker.is_stuck:
            return False
        return turns or any(not call.is_given_up for call in list(self.calls.values()))

    def _on_gone(self) -> None:
        """The host is gone, or asks to end by closing the connection."""
        if process.is_child():
            os._exit(0)
        if self._is_leaving:
            return
        self._is_leaving = True
        if self.loop is None:
            process.end()
        process.leave_soon()
        self.posts.post(self._leave)

    # On the loop

    def run(self, handshake: dict[str, Any], answer: Callable[[], Any]) -> None:
        """Runs the loop until the process ends. `answer` constructs the plugin and answers the handshake."""
        loop = _loop_of_import()
        asyncio.set_event_loop(loop)
        self.loop = self.posts.loop = loop
        process.watch_terminate(self._on_terminate)

        self.methods.on_handshake = answer
        if self._reader is not None:
            self._reader.read_on(loop)
        loop.call_soon(self._act_alone, handshake)
        loop.call_soon(self.posts.run)
        loop.call_soon(self.take_lines)
        while True:
            try:
                loop.run_forever()
            except (SystemExit, KeyboardInterrupt) as error:
                logs.log_thrown(
                    "A task of the plugin wants to end the process, which only the host may", error
                )
            except Exception as error:
                if loop.is_closed() or getattr(error, "errno", None) is not None:
                    # The loop itself is broken, such as by an author who closes all descriptors.
                    raise
                logs.log_thrown("The handler of a signal failed", error)

    def open_bytes(self, fd: int, nonce: str) -> list[str]:
        """Takes the host's offer of a byte channel, if there is one."""
        try:
            os.set_inheritable(fd, False)
            os.set_blocking(fd, True)
        except OSError:
            return []
        self._connection.bytes_fd = fd
        self._sender = ByteSender(fd, nonce, self.posts)
        receiver = ByteReceiver(fd, self.posts, lambda: self._notify("$/bytesOff", {"nonce": nonce}))
        self._held = HeldMessages(receiver, nonce, self._act_alone, self._fail_held, self._is_awaited)
        self._encoder.channel = self._sender
        return [f"fd{fd}"]

    @property
    def message_channels(self) -> list[str]:
        """Those of the host's offers that were taken."""
        return self._connection.channels

    def take_lines(self) -> None:
        """Acts on the lines that have come; what is owed for them is written together."""
        self._is_taking = True
        try:
            # Others on the loop get their turn between two batches.
            if self._batches:
                self._take_batch(self._batches[0])
        finally:
            # Left in its place until it is done, so that the reader need not wake the loop.
            if self._batches:
                self._batches.popleft()
            self._is_taking = False
            self._writer.flush()
            if self._batches and self.loop is not None:
                self.loop.call_soon(self.take_lines)

    def _take_batch(self, lines: list[bytes | None]) -> None:
        assert self.loop is not None
        left = deque(lines)
        while left:
            start(self.loop, self._take_some(left))
            # The task has ended, or a call in it waits and keeps it for itself.
            self._turn += 1

    async def _take_some(self, lines: deque[bytes | None]) -> None:
        """Works on the calls that end in their first step, all in one task: to make a task costs as much."""
        own_turn = self._turn
        task = asyncio.current_task()
        assert task is not None
        context, references = copy_context(), getrefcount(task)
        until = monotonic() + _TURN
        while lines:
            message = self._message_in(lines.popleft())
            if message is None:
                continue
            if "id" in message:
                begun = self._begin(message)
                if begun is None:
                    continue
                begun.task = task
                await self._work(begun, message)
                begun.task = None
                if self._turn != own_turn:
                    return
                # What the author's code has left in the task is none of the next call's business.
                if copy_context() != context or getrefcount(task) != references:
                    return
                if task._must_cancel:  # type: ignore[attr-defined]
                    return
            else:
                self._take_notification(message)
            if monotonic() > until:
                self._writer.flush()
                until = monotonic() + _TURN

    def _message_in(self, line: bytes | None) -> dict[str, Any] | None:
        """The message to act on now, if there is one."""
        if line is None:
            text = f"A message is longer than {self._max_bytes} bytes"
            self._answer_error(None, PluginError("MESSAGE_TOO_LARGE", text, {"limit": self._max_bytes}))
            return None
        try:
            message = parse(line)
        except InvalidMessage as error:
            if error.owed:
                self._answer_error(error.id, error.error)
            return None
        held = self._held
        if held is not None and (held.queues or held.mark in line) and message is not None:
            return None if held.hold_back(message, line) else message
        return message

    def _act_alone(self, message: dict[str, Any]) -> None:
        """Acts on a message outside a batch, in a task of its own."""
        if "id" not in message:
            self._take_notification(message)
            return
        call = self._begin(message)
        if call is not None:
            assert self.loop is not None
            call.task = start(self.loop, self._work(call, message))

    def _take_notification(self, message: dict[str, Any]) -> None:
        method, params = message["method"], message.get("params")
        if type(params) is not dict or not _is_hashable(params.get("id")):
            return
        id = params.get("id")
        call = self.calls.get(id)
        if method == "$/cancelRequest":
            self._cancel(id, call)
        elif method == "$/credit" and call is not None:
            call.add_credit(_safe_credit(params.get("n")))
        elif method == "$/input" and call is not None and call.input is not None:
            if params.get("done") is True:
                call.input.end()
            else:
                call.input.push(params.get("seq"), params.get("value"))
        elif (
            method == "$/bytesOff" and self._sender is not None and params.get("nonce") == self._sender.nonce
        ):
            self._encoder.channel = None
            self._sender.stop()

    def _cancel(self, id: Id, call: Call | None) -> None:
        reason = PluginError("REQUEST_CANCELLED", "The request was cancelled")
        if call is not None:
            call.cancel(reason)
        elif self._held is not None and self._held.forget(id):
            # Its bytes had not come yet.
            self._answer_error(id, reason)

    def _begin(self, message: dict[str, Any]) -> Call | None:
        """The call that a request asks for; None where it is answered already."""
        id, method = message["id"], message["method"]
        if method == "plugin/ping":
            self._answer_ping(id)
            return None
        if id in self.calls:
            text = self._encoder.encode(id)
            self._answer_error(id, invalid_request(f"the id {text} is in flight already"))
            return None
        if method == "plugin/call":
            call = Call(id, self.worker, self.slots, self._answer_early)
        else:
            call = self._make_call(id, method)
        self.calls[id] = call
        self._working.add(call)
        return call

    def _make_call(self, id: Id, method: str) -> Call:
        if method == "plugin/health":
            return Call(id, self.health_worker, None, self._answer_early)
        if method == "plugin/shutdown" and self.worker.current is not None:
            return Call(id, self._spare_worker(), None, self._answer_early)
        return Call(id, self.worker, None, self._answer_early)

    def _spare_worker(self) -> Worker:
        """A thread for `shutdown()` while a method does not stop."""
        return Worker("appfactory-shutdown", self.posts, _nothing)

    async def _work(self, call: Call, message: dict[str, Any]) -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = await self.methods.answer(message, call)
        except BaseException as thrown:
            error = thrown
        if process.is_child():
            process.end_child(error)
        if call.open:
            error = await self._close_pieces(call, error)
        error = call.reason or error
        self._finish(call, result, None if error is None else self.methods.explain(error, message))
        if message["method"] == "plugin/shutdown":
            self._end()

    async def _close_pieces(self, call: Call, error: BaseException | None) -> BaseException | None:
        try:
            await call.close_pieces()
        except BaseException as thrown:
            return error or thrown
        return error

    def _finish(self, call: Call, result: Any, error: PluginError | None) -> None:
        """Answers a call, unless it was answered already."""
        call.end()
        self._working.discard(call)
        if call.is_answered:
            return
        call.is_answered = True
        del self.calls[call.id]
        if self._held is not None and self._held.queues and self.loop is not None:
            # Not here, in the task of the call: what waited behind it may begin then, in tasks of its own.
            self.loop.call_soon(self._held.forget, call.id)
        if error is None:
            self._send_result(call.id, result)
        else:
            self._answer_error(call.id, error)

    def _answer_early(self, call: Call) -> None:
        if call.is_answered:
            return
        call.is_answered = True
        del self.calls[call.id]
        self._answer_error(call.id, call.still_working())

    def _answer_ping(self, id: Id) -> None:
        if self.worker.is_stuck:
            self._waiting_pings.append(id)
        else:
            self._send_result(id, "pong")

    def _answer_pings(self) -> None:
        """The worker is free again: what it was stuck in is over."""
        pings, self._waiting_pings = self._waiting_pings, []
        for id in pings:
            self._answer_ping(id)

    def open_input(self, call: Call) -> None:
        """Takes the items of an argument that arrives while the call runs."""
        call.input = IncomingStream(lambda n: self._notify("$/inputCredit", {"id": call.id, "n": n}))

    def send_piece(self, call: Call, sequence: int, value: Any) -> asyncio.Future[None] | None:
        """Sends a piece of an answer. Returns what is done when its bytes are gone; None without bytes."""
        line = self._line("method", '"$/stream"', "params", {"id": call.id, "seq": sequence, "value": value})
        payloads = self._encoder.take_payloads()
        if payloads:
            assert self.loop is not None and self._sender is not None
            sent: asyncio.Future[None] = self.loop.create_future()
            left = [len(payloads)]

            def count() -> None:
                left[0] -= 1
                if left[0] == 0 and not sent.done():
                    sent.set_result(None)

            self._queue(line)
            for number, data in payloads:
                self._sender.send(number, data, count)
            return sent
        self._queue(line)
        return None

    # Shared by all

    def _send_result(self, id: Id, result: Any) -> None:
        try:
            line = self._line("id", id if type(id) is int else self._id_text(id), "result", result)
        except Exception as thrown:
            self._encoder.take_payloads()
            self._answer_error(id, _unwritable(thrown))
            return
        self._queue(line)
        if self._encoder.payloads:
            assert self._sender is not None
            for number, data in self._encoder.take_payloads():
                self._sender.send(number, data, _nothing)

    def _answer_error(self, id: Id, error: PluginError) -> None:
        told = error_object(error)
        try:
            line = self._line("id", self._id_text(id), "error", told)
        except Exception:
            self._encoder.take_payloads()
            told.pop("data", None)
            line = self._line("id", self._id_text(id), "error", told)
        self._queue(line)

    def _notify(self, method: str, params: dict[str, Any]) -> None:
        self._queue(self._line("method", f'"{method}"', "params", params))

    def _line(self, first: str, text: str | int, second: str, value: Any) -> str:
        line = f'{{"jsonrpc":"2.0","{first}":{text},"{second}":{self._encoder.encode(value)}}}'
        if len(line) > self._max_bytes:
            self._encoder.take_payloads()
            limit = self._max_bytes
            message = f"The message has {len(line)} bytes; the limit is {limit}"
            raise PluginError("MESSAGE_TOO_LARGE", message, {"bytes": len(line), "limit": limit})
        return line

    def _id_text(self, id: Id) -> str:
        return str(id) if type(id) is int else self._encoder.encode(id)

    def _queue(self, line: str) -> None:
        if process.is_child():
            # A child that a method has forked and that goes on with the parent's work.
            process.end_child(None)
        lines = self._writer.lines
        lines.append(line)
        if len(lines) == 1 and not self._is_taking and self.loop is not None:
            self.loop.call_soon(self._writer.flush)

    # Bytes

    def _is_awaited(self, message: dict[str, Any]) -> bool:
        if "id" in message:
            return message["id"] not in self.calls
        params = message.get("params")
        id = params.get("id") if type(params) is dict else None
        return _is_hashable(id) and id in self.calls

    def _fail_held(self, message: dict[str, Any], reason: str) -> None:
        """A message whose bytes did not arrive fails its call."""
        if "id" in message:
            self._answer_error(message["id"], invalid_request(reason))
            return
        call = self.calls.get(message["params"].get("id"))
        if call is not None:
            call.cancel(PluginError("INVALID_REQUEST", reason))

    # The end

    async def cancel_others(self, kept: Call | None, reason: PluginError) -> None:
        """Cancels all calls but one, and waits a little for the work on them to end."""
        others = [call for call in self._working if call is not kept]
        for call in others:
            call.cancel(reason)
        tasks = [call.task for call in others if call.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=_CALLS_GRACE)

    def _on_terminate(self) -> None:
        if not self._is_leaving:
            self._is_leaving = True
            self.posts.post(self._leave)

    def _leave(self) -> None:
        assert self.loop is not None
        self._leaving = self.loop.create_task(self._shut_down())

    async def _shut_down(self) -> None:
        """The host is gone, or has sent SIGTERM."""
        await self.cancel_others(None, PluginError("REQUEST_CANCELLED", "The host is gone"))
        call = self._make_call(None, "plugin/shutdown")
        call.task = asyncio.current_task()  # type: ignore[assignment, unused-ignore]
        try:
            await self.methods.shut_down_once(call)
        except BaseException as error:
            logs.log_thrown("shutdown() failed", error)
        self._end()

    def _end(self) -> None:
        """Answers what is left, and ends the process."""
        for call in list(self.calls.values()):
            self._answer_early(call)
        self._writer.flush()
        if self._sender is not None:
            self._sender.drain(1.0)
        process.end()


def _loop_of_import() -> asyncio.AbstractEventLoop:
    """The loop that the module got at its import: locks made there belong to it. Else a new one."""
    try:
        with warnings.catch_warnings():
            # Where there is none yet, some versions warn that they make one.
            warnings.simplefilter("ignore", DeprecationWarning)
            loop = asyncio.get_event_loop_policy().get_event_loop()
    except RuntimeError:
        return asyncio.new_event_loop()
    return asyncio.new_event_loop() if loop.is_closed() else loop


def _nothing() -> None:
    pass


def _is_hashable(id: Any) -> bool:
    return id is None or type(id) in (str, int, float)


def _safe_credit(value: Any) -> int:
    """Treats an invalid credit as 0: notifications can't be answered with an error."""
    try:
        return read_credit(value)
    except PluginError:
        return 0


def _unwritable(error: Exception) -> PluginError:
    if isinstance(error, PluginError):
        return error
    message = f"The result can’t be written as JSON: {logs.describe(error)}"
    return PluginError("INTERNAL_ERROR", message, {"error": type(error).__name__})
