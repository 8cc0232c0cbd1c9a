"""Messages that wait for the bytes beside them, and later ones of the same call or session behind them."""

from __future__ import annotations

from collections import deque
from typing import Any, Callable

from appfactory.runtime.raw_bytes import ByteReceiver

# Most that messages which wait for their bytes may take, in bytes, roughly.
MAX_WAITING_BYTES = 32 * 1024 * 1024

# What a message that waits takes beside its text.
_MESSAGE_COST = 1024

Message = dict[str, Any]


class _Waiting:
    def __init__(
        self, message: Message, keys: list[str], places: list[tuple[Any, Any, int, int]], cost: int
    ) -> None:
        self.message = message
        self.keys = keys
        self.places = places
        self.cost = cost
        self.missing = len(places)
        self.failure = ""


class HeldMessages:
    """Holds back what can't be acted on yet. All of it happens on the loop."""

    def __init__(
        self,
        receiver: ByteReceiver,
        nonce: str,
        act: Callable[[Message], None],
        fail: Callable[[Message, str], None],
        is_awaited: Callable[[Message], bool],
    ) -> None:
        self._receiver = receiver
        self._nonce = nonce
        self.mark = f'"{nonce}:'.encode()
        self._act = act
        self._fail = fail
        self._is_awaited = is_awaited
        # The queue of each call and session that has messages waiting, and how many.
        self.queues: dict[str, tuple[deque[_Waiting], int]] = {}
        self._bytes = 0

    def hold_back(self, message: Message, line: bytes) -> bool:
        """Takes a message that must wait: it has the mark, or others wait. Returns False for all others."""
        has_bytes = self.mark in line
        places = self._find_places(message) if has_bytes else []
        keys = keys_of(message)
        queue = next((self.queues[key][0] for key in keys if key in self.queues), None)
        if not places and queue is None:
            return False
        if queue is None and not self._is_awaited(message):
            for _, _, number, length in places:
                self._receiver.discard(number, length)
            return False
        waiting = _Waiting(message, keys, places, len(line) + _MESSAGE_COST)
        self._add(deque() if queue is None else queue, waiting)
        return True

    def forget(self, id: Any) -> bool:
        """A call has ended: what waits for it goes. Returns whether its request was among that."""
        key = _call_key(id)
        queue = self.queues.get(key, (None, 0))[0]
        if queue is None:
            return False
        gone = [waiting for waiting in queue if key in waiting.keys]
        for waiting in gone:
            queue.remove(waiting)
            self._let_go(waiting)
            waiting.failure = waiting.failure or "nobody waits for it any more"
            for _, _, number, length in waiting.places if waiting.missing else ():
                self._receiver.discard(number, length)
        self._advance(queue)
        return any("id" in waiting.message for waiting in gone)

    def _find_places(self, message: Message) -> list[tuple[Any, Any, int, int]]:
        """The places of references: what holds each, its key there, the payload's number and length."""
        found: list[tuple[Any, Any, int, int]] = []
        rest: list[Any] = [message]
        while rest:
            holder = rest.pop()
            for key, item in holder.items() if type(holder) is dict else enumerate(holder):
                if type(item) not in (dict, list):
                    continue
                number = self._number_of(item)
                if number is None:
                    rest.append(item)
                else:
                    found.append((holder, key, number, item["length"]))
        return found

    def _number_of(self, item: Any) -> int | None:
        if type(item) is not dict or type(item.get("length")) is not int:
            return None
        nonce, _, number = str(item.get("$bytes")).rpartition(":")
        return int(number) if nonce == self._nonce and number.isdecimal() else None

    def _add(self, queue: deque[_Waiting], waiting: _Waiting) -> None:
        queue.append(waiting)
        for key in waiting.keys:
            self.queues[key] = (queue, self.queues.get(key, (queue, 0))[1] + 1)
        self._bytes += waiting.cost
        for holder, key, number, length in waiting.places:
            self._receiver.take(number, length, self._taker(queue, waiting, holder, key))
        if self._bytes > MAX_WAITING_BYTES:
            self._receiver.break_off("too much waits for bytes that do not come")

    def _taker(self, queue: deque[_Waiting], waiting: _Waiting, holder: Any, key: Any) -> Any:
        def take(data: bytes | None, failure: str) -> None:
            holder[key] = data
            waiting.missing -= 1
            waiting.failure = waiting.failure or failure
            self._advance(queue)

        return take

    def _advance(self, queue: deque[_Waiting]) -> None:
        """Hands over what is whole, up to the first message that still waits."""
        while queue and queue[0].missing == 0:
            waiting = queue.popleft()
            self._let_go(waiting)
            if waiting.failure:
                self._fail(waiting.message, waiting.failure)
            else:
                self._act(waiting.message)

    def _let_go(self, waiting: _Waiting) -> None:
        self._bytes -= waiting.cost
        for key in waiting.keys:
            queue, count = self.queues[key]
            if count == 1:
                del self.queues[key]
            else:
                self.queues[key] = (queue, count - 1)


def keys_of(message: Message) -> list[str]:
    """What a message belongs to: its session, and its call."""
    params = message.get("params")
    members = params if type(params) is dict else {}
    if "id" in message:
        args = members.get("args")
        session = args.get("session_id") if type(args) is dict else None
        own = [_call_key(message["id"])]
        return own if session is None else [f"session {session}", *own]
    return [_call_key(members.get("id"))] if message["method"] == "$/input" else []


def _call_key(id: Any) -> str:
    return f"call {id!r}"
