"""Payloads on their way out: whole after short writes, and done once where the host does not read."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

import pytest

from appfactory.runtime import raw_bytes
from appfactory.runtime.workers import Posts


def read_exactly(end: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += end.recv(count - len(data))
    return data


def test_payloads_are_whole_after_short_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    def write_some(fd: int, parts: list[Any]) -> int:
        return os.write(fd, b"".join(parts)[:30_001])

    monkeypatch.setattr(raw_bytes.os, "writev", write_some)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(30)
        sender = raw_bytes.ByteSender(ours.fileno(), "nonce", Posts())
        sent = {number: os.urandom(200_000) for number in (1, 2)}
        for number, data in sent.items():
            sender.send(number, data, lambda: None)
        received = dict.fromkeys(sent, b"")
        while received != sent:
            number, _, offset, length = struct.unpack(">IIII", read_exactly(theirs, 16))
            assert offset == len(received[number])
            received[number] += read_exactly(theirs, length)


def test_payloads_that_nobody_reads_are_done_once_when_bytes_are_off() -> None:
    ours, theirs = socket.socketpair()
    posts = Posts()
    done: list[int] = []
    with ours, theirs:
        theirs.settimeout(30)
        sender = raw_bytes.ByteSender(ours.fileno(), "nonce", posts)
        for number in range(1, 5):
            sender.send(number, bytes(250_000), lambda number=number: done.append(number))  # type: ignore[misc]
            # All of the first one is being written now; another takes its turn next, two wait.
            read_exactly(theirs, 16 if number == 1 else 0)
        sender.stop()
        posts.run()
        assert sorted(done) == [1, 2, 3, 4]
        sender.send(5, bytes(10), lambda: done.append(5))
        # What was being written still goes.
        theirs.settimeout(0.2)
        try:
            while theirs.recv(65536):
                pass
        except socket.timeout:
            pass
        posts.run()
    assert sorted(done) == [1, 2, 3, 4, 5]
