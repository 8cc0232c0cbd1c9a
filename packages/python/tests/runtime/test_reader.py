"""What is read where: on the loop, in a thread while the loop is blocked, and in the thread alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from process_host import START, ProcessHost

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


def test_messages_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("class Plugin: pass\n", "utf-8")
    manifest = {"name": "stand_in", "contract": "stand_in", "version": "1.0.0"}
    params = {"protocol_versions": [1], "host_version": "0.0.0", "manifest": manifest}
    handshake = {"jsonrpc": "2.0", "id": 1, "method": "plugin/handshake", "params": params}
    messages = tmp_path / "messages"
    messages.write_text(json.dumps(handshake) + "\n", "utf-8")
    arguments = [str(tmp_path / "main.py"), "--dir", str(tmp_path), "--plugins-dir", str(tmp_path.parent)]
    with messages.open("rb") as file:
        ended = subprocess.run(
            [sys.executable, "-I", str(START), *arguments], stdin=file, capture_output=True, timeout=30
        )
    assert json.loads(ended.stdout)["result"]["protocol_version"] == 1, ended.stderr
    assert ended.returncode == 0
