"""Raw bytes beside the messages: payloads by number on a pipe of their own, in pieces that take turns."""

from __future__ import annotations

import os
import threading
from collections import deque
from struct import Struct
from typing import Any, Callable, Optional

from appfactory.errors import PluginError
from appfactory.runtime.workers import Posts

# Largest part of a payload that is written at once, so that others need not wait behind it.
PIECE_BYTES = 64 * 1024

# Before each piece: the payload's number, its length, the piece's offset and length.
_HEADER = Struct(">IIII")

MAX_PAYLOAD_BYTES = 64 * 1024 * 1024

# Most bytes that the receiver holds of payloads that are incomplete, or that no message has asked for.
MAX_WAITING_BYTES = 128 * 1024 * 1024

# Pieces that are written at once, so that a payload of one piece waits behind few others.
_PIECES_AT_ONCE = 4

_MAX_UNCLAIMED = 4096
_LARGE_IN_TURN = 2

Taker = Callable[[Optional[bytes], str], None]


class _Sending:
    def __init__(self, number: int, data: Any, on_sent: Callable[[], None]) -> None:
        self.number = number
        self.data = memoryview(data)
        self.offset = 0
        self.on_sent = on_sent

    def next_piece(self) -> tuple[bytes, memoryview]:
        """The header and the bytes of the next piece."""
        piece = self.data[self.offset : self.offset + PIECE_BYTES]
        header = _HEADER.pack(self.number, len(self.data), self.offset, len(piece))
        self.offset += len(piece)
        return header, piece

    @property
    def is_large(self) -> bool:
        return len(self.data) > PIECE_BYTES


class ByteSender:
    """Sends payloads from a thread of its own, so that a host that does not read holds up nothing else."""

    def __init__(self, fd: int, nonce: str, posts: Posts) -> None:
        self.nonce = nonce
        self._fd = fd
        self._posts = posts
        self._last = 0
        self._in_turn: deque[_Sending] = deque()
        self._waiting: deque[_Sending] = deque()
        # Those whose last piece is being written.
        self._ending: list[_Sending] = []
        self._large = 0
        self._large_bytes = 0
        self._change = threading.Condition()
        self._is_stopped = False
        self._thread: threading.Thread | None = None

    def number(self, length: int) -> int:
        """The number of the next payload. Raises MESSAGE_TOO_LARGE."""
        if length > MAX_PAYLOAD_BYTES:
            message = f"The message carries {length} bytes; the limit is {MAX_PAYLOAD_BYTES}"
            raise PluginError("MESSAGE_TOO_LARGE", message, {"bytes": length, "limit": MAX_PAYLOAD_BYTES})
        self._last += 1
        return self._last

    @property
    def can_send(self) -> bool:
        """Whether the host takes bytes, and there are numbers left."""
        return not self._is_stopped and self._last < 2**31

    def send(self, number: int, data: Any, on_sent: Callable[[], None]) -> None:
        """Sends a payload. `on_sent` is called on the loop when all of it is gone, or never will be."""
        sending = _Sending(number, data, on_sent)
        with self._change:
            if self._is_stopped:
                self._posts.post(on_sent)
                return
            (self._waiting if sending.is_large else self._in_turn).append(sending)
            self._admit()
            self._change.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="appfactory-bytes-out", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Sends nothing any more: messages carry base64 from now on."""
        with self._change:
            self._is_stopped = True
            for sendings in (self._in_turn, self._waiting, self._ending):
                for sending in sendings:
                    self._posts.post(sending.on_sent)
                sendings.clear()
            self._change.notify_all()

    def drain(self, seconds: float) -> None:
        """Waits until all is sent, but not longer than that."""
        with self._change:
            self._change.wait_for(lambda: not (self._in_turn or self._waiting or self._ending), seconds)

    def _admit(self) -> None:
        """Lets large payloads take turns, a few at a time, so that the receiver makes room for a few only."""
        while self._waiting and self._has_room_for(len(self._waiting[0].data)):
            sending = self._waiting.popleft()
            self._in_turn.append(sending)
            self._large += 1
            self._large_bytes += len(sending.data)

    def _has_room_for(self, length: int) -> bool:
        if self._large == 0:
            return True
        return self._large < _LARGE_IN_TURN and self._large_bytes + length <= MAX_PAYLOAD_BYTES

    def _work(self) -> None:
        try:
            while True:
                with self._change:
                    self._change.wait_for(lambda: self._in_turn)
                    parts = self._next_pieces()
                while parts:
                    parts = _without(parts, os.writev(self._fd, parts))
                self._end_turns()
        except OSError:
            self.stop()

    def _next_pieces(self) -> list[bytes | memoryview]:
        """A few pieces, of payloads by turns."""
        parts: list[bytes | memoryview] = []
        while self._in_turn and len(parts) < 2 * _PIECES_AT_ONCE:
            sending = self._in_turn.popleft()
            parts += sending.next_piece()
            if sending.offset < len(sending.data):
                self._in_turn.append(sending)
            else:
                self._ending.append(sending)
        return parts

    def _end_turns(self) -> None:
        if not self._ending:
            return
        with self._change:
            for sending in self._ending:
                if sending.is_large:
                    self._large -= 1
                    self._large_bytes -= len(sending.data)
                self._posts.post(sending.on_sent)
            self._ending.clear()
            self._admit()
            self._change.notify_all()


def _without(parts: list[bytes | memoryview], written: int) -> list[bytes | memoryview]:
    """What is left to write."""
    for at, part in enumerate(parts):
        if written < len(part):
            return [memoryview(part)[written:], *parts[at + 1 :]]
        written -= len(part)
    return []


class _Payload:
    """A payload, from its first piece or the message that asks for it on, whichever comes first."""

    __slots__ = ("data", "failed", "length", "received", "taker")

    def __init__(self, length: int) -> None:
        self.length = length
        self.data: bytearray | None = None
        self.received = 0
        self.failed = ""
        self.taker: Taker | None = None


class ByteReceiver:
    """Puts payloads together from their pieces, in a thread of its own."""

    def __init__(self, fd: int, posts: Posts, on_break: Callable[[], None]) -> None:
        self._fd = fd
        self._posts = posts
        self._on_break = on_break
        self._payloads: dict[int, _Payload] = {}
        # Those that no message has asked for yet, the oldest first.
        self._unclaimed: dict[int, None] = {}
        self._held = 0
        self._broken = ""
        self._lock = threading.Lock()
        self._scratch = bytearray(PIECE_BYTES)
        threading.Thread(target=self._work, name="appfactory-bytes-in", daemon=True).start()

    def take(self, number: int, length: int, taker: Taker) -> None:
        """Hands a payload to `taker` on the loop, or says why it failed."""
        with self._lock:
            payload = self._payloads.get(number) or self._expect(number, length)
            self._unclaimed.pop(number, None)
            if payload.taker is not None:
                self._posts.post(taker, None, "Two messages refer to the same bytes")
                return
            if payload.length != length:
                self._fail(payload, f"it has {payload.length} bytes, the message says {length}")
            payload.taker = taker
            self._settle(number, payload)

    def discard(self, number: int, length: int) -> None:
        """Nobody asks for a payload any more: what has come goes, and what is still to come goes nowhere."""
        with self._lock:
            payload = self._payloads.get(number) or self._expect(number, length)
            self._unclaimed.pop(number, None)
            payload.taker = _take_nothing
            self._fail(payload, "nobody waits for it any more")
            if self._broken or payload.received >= payload.length:
                del self._payloads[number]

    def break_off(self, reason: str) -> None:
        """Receives nothing any more: what was on its way, or is asked for from now on, has failed."""
        with self._lock:
            self._break(reason)

    def _break(self, reason: str) -> None:
        if self._broken:
            return
        self._broken = reason
        for number, payload in list(self._payloads.items()):
            self._fail(payload, reason)
            self._settle(number, payload)
        self._posts.post(self._on_break)

    def _work(self) -> None:
        try:
            header = bytearray(_HEADER.size)
            self._fill(memoryview(header))
            while not self._broken:
                number, total, offset, length = _HEADER.unpack(header)
                if not 0 < length <= PIECE_BYTES:
                    self.break_off(f"a piece of {length} bytes can't be")
                    break
                self._receive(number, total, offset, length, memoryview(header))
            while os.read(self._fd, PIECE_BYTES):
                pass
        except (OSError, EOFError):
            self.break_off("the byte channel is closed")

    def _receive(self, number: int, total: int, offset: int, length: int, header: memoryview) -> None:
        """Reads a piece to its place, and the header of the next one with it."""
        with self._lock:
            payload = self._place_for(number, total, offset, length)
            data = payload.data if payload is not None else None
        place = (
            memoryview(self._scratch)[:length] if data is None else memoryview(data)[offset : offset + length]
        )
        ahead = self._fill(place, header)
        with self._lock:
            if payload is not None:
                payload.received += length
                self._settle(number, payload)
        self._fill(header[ahead:])

    def _fill(self, place: memoryview, ahead: memoryview | None = None) -> int:
        """Fills `place`; returns how much it has read to `ahead` as well."""
        while len(place) > 0:
            count = os.readv(self._fd, [place] if ahead is None else [place, ahead])
            if count == 0:
                raise EOFError
            if count >= len(place):
                return count - len(place)
            place = place[count:]
        return 0

    def _place_for(self, number: int, total: int, offset: int, length: int) -> _Payload | None:
        payload = self._payloads.get(number)
        if payload is None:
            if offset != 0:
                return None
            payload = self._expect(number, total)
            self._unclaimed[number] = None
            if len(self._unclaimed) > _MAX_UNCLAIMED:
                self._break("too many payloads that no message has asked for")
        if payload.length != total or payload.received != offset or offset + length > total:
            self._fail(payload, "its pieces do not fit together")
        elif payload.data is None:
            self._make_room(payload)
        return payload

    def _expect(self, number: int, length: int) -> _Payload:
        payload = _Payload(length)
        payload.failed = self._broken
        self._payloads[number] = payload
        return payload

    def _make_room(self, payload: _Payload) -> None:
        if payload.failed:
            return
        length = payload.length
        if length <= MAX_PAYLOAD_BYTES:
            self._evict_for(length)
        if length > MAX_PAYLOAD_BYTES or self._held + length > MAX_WAITING_BYTES:
            self._fail(payload, f"it has {length} bytes, which is over the limit")
            return
        payload.data = bytearray(length)
        self._held += length

    def _evict_for(self, length: int) -> None:
        """What nobody has asked for the longest gives way."""
        for number in list(self._unclaimed):
            if self._held + length <= MAX_WAITING_BYTES:
                return
            self._fail(self._payloads[number], "no message had asked for it when others needed its room")

    def _fail(self, payload: _Payload, reason: str) -> None:
        payload.failed = payload.failed or reason
        self._let_go(payload)

    def _let_go(self, payload: _Payload) -> None:
        if payload.data is not None:
            self._held -= payload.length
            payload.data = None

    def _settle(self, number: int, payload: _Payload) -> None:
        """Hands a payload over once it is complete, or has failed, and somebody has asked for it."""
        if payload.taker is None or (not payload.failed and payload.received < payload.length):
            return
        if payload.taker is _take_nothing and payload.received < payload.length and not self._broken:
            return
        self._payloads.pop(number, None)
        data = payload.data
        self._let_go(payload)
        if payload.failed or data is None:
            reason = payload.failed or "they are empty"
            self._posts.post(payload.taker, None, f"The bytes of the message did not arrive: {reason}")
        else:
            self._posts.post(payload.taker, bytes(data), "")


def _take_nothing(_data: bytes | None, _failure: str) -> None:
    """Nobody waits for these bytes."""
