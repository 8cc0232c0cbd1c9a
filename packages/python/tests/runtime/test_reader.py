"""What is read where: on the loop, in a thread while the loop is blocked, and in the thread alone."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest
from process_host import ProcessHost

from appfactory.runtime.reader import Reader
from appfactory.runtime.wire import Lines

PLUGIN = """
    import threading, time
    class Plugin:
        def __init__(self): self.go = threading.Event()
        async def blocks(self):
            print("blocking"); self.go.wait()
        def health_check(self): self.go.set(); return {"status": "READY"}
        async def reader(self): return threading.current_thread() is threading.main_thread()
        async def blocks_for_ever(self):
            print("blocking")
            while True: time.sleep(1)
"""


def test_a_ping_right_behind_a_call_that_blocks_the_loop_is_answered(tmp_path: Path) -> None:
    with ProcessHost(tmp_path, PLUGIN) as host:
        host.start()
        call, ping = (
            host.request("plugin/call", {"method": "blocks", "args": {}}),
            host.request("plugin/ping"),
        )
        host.write_all([call, ping])
        assert host.answer(ping["id"])["result"] == "pong"
        host.logged("blocking")


def test_the_process_ends_when_the_host_is_gone_and_the_loop_blocked(tmp_path: Path) -> None:
    with ProcessHost(tmp_path, PLUGIN) as host:
        host.start()
        host.call("blocks_for_ever")
        host.logged("blocking")
        host.hang_up()
        assert host.wait() == 0


def test_a_thread_reads_where_the_loop_can_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_NO_POLL", "1")
    with ProcessHost(tmp_path, PLUGIN) as host:
        host.start()
        assert [host.ask("reader")["result"] for _ in range(3)] == [True] * 3
        host.call("blocks")
        host.logged("blocking")
        assert host.result("plugin/ping") == "pong"


class Collector:
    """Takes what a Reader reads."""

    def __init__(self) -> None:
        self.lines: list[bytes | None] = []
        self.end = threading.Event()

    def take_in(self, lines: list[bytes | None], chunk: bytes, turns: bool) -> bool:
        self.lines += lines
        return False

    def take_lines(self) -> None: ...

    def take_lines_soon(self) -> None: ...

    def take_end(self) -> None:
        self.end.set()


def test_a_thread_reads_a_file_for_which_no_loop_can_wait(tmp_path: Path) -> None:
    (tmp_path / "messages").write_bytes(b"one\ntwo\nthree")
    collector = Collector()
    loop = asyncio.new_event_loop()
    with (tmp_path / "messages").open("rb") as file:
        reader = Reader(file.fileno(), Lines(), collector)
        reader.read_on(loop)
        reader.begin()
        assert collector.end.wait(30)
    loop.close()
    assert collector.lines == [b"one", b"two", b"three"]
