"""Streams both ways, their credit, and raw bytes."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from process_host import NONCE, ProcessHost

PLUGIN = """
    import asyncio, os
    class Plugin:
        def __init__(self): self.made = 0; self.log = []; self.restored = None
        async def said(self): return [self.made, self.log]
        async def forget(self): self.__init__()

        async def stream(self, n):
            try:
                for at in range(n):
                    self.made += 1
                    yield at
            finally:
                await asyncio.sleep(0)
                self.log.append("finally")
        def stream_plain(self, n):
            try:
                for at in range(n):
                    self.made += 1
                    yield at
            finally: self.log.append("finally")
        async def stream_late(self, n): return self.stream(n)
        def stream_list(self, n): return list(range(n))
        async def stream_fails(self, n):
            yield 1
            raise ValueError("no more")
        async def stream_nothing(self, n): return 7
        async def stream_bytes(self, n):
            for at in range(n): yield {"data_b64": bytes([at]) * 100_000}

        async def stream_upper(self, items):
            async for item in items: yield item.upper()
        async def total(self, audio_b64):
            if isinstance(audio_b64, bytes): return len(audio_b64)
            return [len(item) async for item in audio_b64]
        async def ended(self, items, audio_b64): return len(audio_b64)
        async def first(self, items):
            async for item in items: return item
        async def blob(self, n, count=1): return [{"data_b64": os.urandom(1) * n} for _ in range(count)]
        async def note(self, name, audio_b64=b""): self.log.append([name, len(audio_b64)]); return True

        def capture_state(self):
            big = self.restored and "y" * 70_000
            return {"n": 1, "list": [b"abc", {"x": b"d" * 5000}], "big": big}
        async def restore_state(self, state): self.restored = state
        async def what(self): return repr(self.restored)[:60]
"""


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with ProcessHost(tmp_path_factory.mktemp("plugin"), PLUGIN, fd3=True) as host:
        host.start()
        yield host


@pytest.fixture
def host(process: ProcessHost) -> ProcessHost:
    """The process of all tests here, which start from nothing; the last one breaks its byte channel."""
    process.ask("forget")
    process.unread.clear()
    return process


@pytest.mark.parametrize("method", ["stream", "stream_plain", "stream_late"])
def test_no_more_than_one_piece_is_made_ahead_of_the_credit(host: ProcessHost, method: str) -> None:
    id = host.call(method, {"n": 6}, stream={"credit": 2})
    assert [host.piece(id)["value"] for _ in range(2)] == [0, 1]
    assert host.ask("said")["result"][0] <= 3
    host.notify("$/credit", id=id, n=1)
    assert host.piece(id) == {"id": id, "seq": 2, "value": 2}
    host.notify("$/credit", id=id, n="many")
    host.notify("$/credit", id=id, n=10)
    assert [host.piece(id)["seq"] for _ in range(3)] == [3, 4, 5]
    assert host.answer(id)["result"] == {"pieces": 6}
    assert host.ask("said")["result"] == [6, ["finally"]]


@pytest.mark.parametrize("method", ["stream", "stream_plain", "stream_late"])
def test_a_cancelled_stream_is_closed_before_its_answer(host: ProcessHost, method: str) -> None:
    id = host.call(method, {"n": 6}, stream={"credit": 1})
    host.piece(id)
    host.notify("$/cancelRequest", id=id)
    assert host.answer(id)["error"]["code"] == -32800
    assert host.ask("said")["result"][1] == ["finally"]


def test_streams_end_with_their_error(host: ProcessHost) -> None:
    id = host.call("stream_fails", {"n": 1}, stream={"credit": 8})
    host.piece(id)
    assert host.answer(id)["error"] == {"code": -32602, "message": "no more"}
    assert host.ask("stream_nothing", {"n": 1}, stream=True)["error"]["code"] == -32603
    for credit in (0, -1, 1.5, "8", None):
        assert host.ask("stream", {"n": 1}, stream={"credit": credit})["error"]["code"] == -32602
    id = host.call("stream_list", {"n": 100}, stream=True)
    assert [host.piece(id)["value"] for _ in range(100)] == list(range(100))


def test_items_arrive_while_their_call_runs(host: ProcessHost) -> None:
    id = host.call("stream_upper", {"items": {"$input": True}}, stream={"credit": 100})
    for at in range(40):
        host.notify("$/input", id=id, seq=at, value=f"a{at}")
        assert host.piece(id)["value"] == f"A{at}"
    granted = host.message(lambda message: message.get("method") == "$/inputCredit")
    assert granted["params"] == {"id": id, "n": 32}
    host.notify("$/input", id=id, seq=40, done=True)
    assert host.answer(id)["result"] == {"pieces": 40}
    # Bytes come as base64 or beside their message.
    id = host.call("total", {"audio_b64": {"$input": True}})
    host.notify("$/input", id=id, seq=0, value="QUJD")
    host.notify("$/input", id=id, seq=1, value={"$bytes": f"{NONCE}:20", "length": 3000})
    host.notify("$/input", id=id, seq=2, value="QUI=")
    host.notify("$/input", id=id, seq=3, done=True)
    host.send_bytes(20, b"x" * 3000)
    assert host.answer(id)["result"] == [3, 3000, 2]


def test_items_out_of_order_or_without_credit_break_the_call(host: ProcessHost) -> None:
    id = host.call("first", {"items": {"$input": True}})
    host.notify("$/input", id=id, seq=1, value="late")
    assert host.answer(id)["error"]["code"] == -32600
    # A call that leaves its input early is answered; what still comes goes nowhere.
    id = host.call("first", {"items": {"$input": True}})
    for at in range(3):
        host.notify("$/input", id=id, seq=at, value=at)
    assert host.answer(id)["result"] == 0
    assert host.result("plugin/ping") == "pong"


def test_bytes_go_beside_their_message(host: ProcessHost) -> None:
    id = host.call("blob", {"n": 2_000_000})
    number, data = host.receive_bytes()
    assert len(data) == 2_000_000
    assert len(set(data)) == 1
    assert host.answer(id)["result"] == [{"data_b64": {"$bytes": f"{NONCE}:{number}", "length": 2_000_000}}]
    assert isinstance(host.ask("blob", {"n": 100})["result"][0]["data_b64"], str)
    id = host.call("stream_bytes", {"n": 3}, stream={"credit": 8})
    assert [host.receive_bytes()[1][0] for _ in range(3)] == [0, 1, 2]
    assert host.answer(id)["result"] == {"pieces": 3}


def test_a_message_waits_for_its_bytes_and_its_session_behind_it(host: ProcessHost) -> None:
    reference = {"$bytes": f"{NONCE}:7", "length": 200_000}
    first = host.call("note", {"name": "first", "audio_b64": reference, "session_id": "s"})
    second = host.call("note", {"name": "second", "session_id": "s"})
    other = host.ask("note", {"name": "other", "session_id": "t"})
    assert other["result"] is True
    host.send_bytes(7, b"x" * 200_000)
    assert host.answer(first)["result"] is True
    assert host.answer(second)["result"] is True
    assert host.ask("said")["result"][1] == [["other", 0], ["first", 200_000], ["second", 0]]
    # Before their message is as good.
    host.send_bytes(8, b"y" * 70_000)
    assert host.ask("total", {"audio_b64": {"$bytes": f"{NONCE}:8", "length": 70_000}})["result"] == 70_000


def test_a_small_payload_need_not_wait_for_large_ones(host: ProcessHost) -> None:
    host.call("blob", {"n": 8_000_000, "count": 3})
    host.call("blob", {"n": 5000})
    order = [len(data) for _, data in host.receive_payloads(4)]
    assert order[0] == 5000
    assert order[1:] == [8_000_000] * 3


def test_a_state_is_carried_over_with_its_bytes(host: ProcessHost) -> None:
    params = {"max_bytes": 1_000_000}
    id = host.send("plugin/capture_state", params)
    number, data = host.receive_bytes()
    state = host.answer(id)["result"]
    assert data == b"d" * 5000
    assert state["state"] == {"n": 1, "list": [None, {"x": None}], "big": None}
    assert [item["path"] for item in state["bytes"]] == [["list", 0], ["list", 1, "x"]]
    assert state["bytes"][1]["data_b64"] == {"$bytes": f"{NONCE}:{number}", "length": 5000}
    host.send_bytes(5, b"e" * 5000)
    state["bytes"][1]["data_b64"] = {"$bytes": f"{NONCE}:5", "length": 5000}
    assert host.result("plugin/restore_state", state) is True
    assert host.ask("what")["result"].startswith("{'n': 1, 'list': [b'abc', {'x': b'eeee")
    # More than 64 KiB of JSON go as bytes.
    id = host.send("plugin/capture_state", params)
    assert max(len(data) for _, data in host.receive_payloads(2)) > 70_000
    assert "state" not in host.answer(id)["result"]
    error = host.answer(host.send("plugin/capture_state", {"max_bytes": 100}))["error"]
    assert error["code"] == -32050
    assert error["data"]["limit"] == 100
    wrong = {"state": {}, "bytes": [{"path": ["no"], "data_b64": "QQ=="}]}
    assert host.answer(host.send("plugin/restore_state", wrong))["error"]["code"] == -32602


def test_what_waits_behind_a_call_that_ends_early_goes_on(host: ProcessHost) -> None:
    reference = {"$bytes": f"{NONCE}:30", "length": 3000}
    args = {"items": {"$input": True}, "audio_b64": reference, "session_id": "s"}
    early = host.call("ended", args)
    never = {"$bytes": f"{NONCE}:31", "length": 3000}
    host.notify("$/input", id=early, seq=0, value=never)
    behind = host.call("note", {"name": "behind", "session_id": "s"})
    host.send_bytes(30, b"x" * 3000)
    assert host.answer(early)["result"] == 3000
    assert host.answer(behind)["result"] is True


def test_bytes_that_are_wrong_fail_their_call_and_no_other(host: ProcessHost) -> None:
    host.send_bytes(1, b"x" * 3000)
    broken = host.call("total", {"audio_b64": {"$bytes": f"{NONCE}:1", "length": 4000}})
    assert host.answer(broken)["error"]["code"] == -32600
    # A cancelled request whose bytes never came.
    waiting = host.call("total", {"audio_b64": {"$bytes": f"{NONCE}:2", "length": 4000}})
    host.notify("$/cancelRequest", id=waiting)
    assert host.answer(waiting)["error"]["code"] == -32800
    host.send_bytes(2, b"x" * 4000)
    host.send_bytes(3, b"z" * 5000)
    assert host.ask("total", {"audio_b64": {"$bytes": f"{NONCE}:3", "length": 5000}})["result"] == 5000
    # Nobody knows where the next piece begins: that direction is off, the other one is not.
    unsent = host.call("total", {"audio_b64": {"$bytes": f"{NONCE}:4", "length": 5000}})
    host.bytes.sendall(struct.pack(">IIII", 4, 5000, 0, 0))
    assert host.answer(unsent)["error"]["code"] == -32600
    off = host.message(lambda message: message.get("method") == "$/bytesOff")
    assert off["params"] == {"nonce": NONCE}
    host.call("blob", {"n": 5000})
    assert len(host.receive_bytes()[1]) == 5000
    host.notify("$/bytesOff", nonce="forged")
    host.notify("$/bytesOff", nonce=NONCE)
    assert isinstance(host.ask("blob", {"n": 5000})["result"][0]["data_b64"], str)
