"""Which code of the author runs when, and that each request is answered exactly once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from process_host import ProcessHost

PLUGIN = """
    import asyncio, contextvars, sys, threading, time
    which = contextvars.ContextVar("which")

    class Plugin:
        def __init__(self):
            self.go = threading.Event()
            self.log = []
            self.running = self.most = 0

        def release(self): self.go.set()
        async def release_here(self): self.go.set()
        async def said(self): return self.log

        def hold(self):
            print("holding"); self.go.wait(); return threading.current_thread().name
        def thread(self): return threading.current_thread().name
        async def main_thread(self): return threading.current_thread() is threading.main_thread()
        async def blocks(self):
            print("blocking"); self.go.wait(); return "woke"
        def health_check(self):
            return {"status": "READY", "thread": threading.current_thread().name}

        async def timeout(self):
            # Needs a current task from the first step on.
            which.set("mine")
            task = asyncio.current_task()
            await asyncio.wait_for(asyncio.sleep(0), 5)
            return [task is asyncio.current_task(), which.get()]

        async def sets_context(self): which.set("left")
        async def keeps_task(self): self.task = asyncio.current_task()
        async def cancels_kept(self):
            self.task.cancel()
            await asyncio.sleep(0)
        async def finds(self):
            await asyncio.sleep(0)
            return which.get(None)
        async def cancels_itself(self): asyncio.current_task().cancel()

        async def ends(self, kind):
            raise {"exit": SystemExit(3), "interrupt": KeyboardInterrupt(), "generator": GeneratorExit(),
                   "cancel": asyncio.CancelledError(), "stop": StopIteration(1)}[kind]
        def ends_in_thread(self, kind):
            raise {"exit": SystemExit(3), "interrupt": KeyboardInterrupt(), "generator": GeneratorExit(),
                   "cancel": asyncio.CancelledError(), "stop": StopIteration(1)}[kind]

        async def sleeps(self):
            print("sleeping")
            try: await asyncio.sleep(1000)
            finally: self.log.append("finally")
        async def ignores(self):
            print("ignoring")
            while not self.go.is_set():
                try: await asyncio.sleep(0.01)
                except asyncio.CancelledError: pass
            return "too late"
        async def counts(self):
            self.running += 1
            self.most = max(self.most, self.running)
            await asyncio.sleep(0.01)
            self.running -= 1
            return self.most

        def wrapped(self): return self.main_thread()
"""


@pytest.fixture
def host(tmp_path: Path) -> Any:
    with ProcessHost(tmp_path, PLUGIN) as host:
        host.start()
        yield host


def test_plain_functions_run_in_one_thread_and_coroutines_on_the_main_one(host: ProcessHost) -> None:
    held = host.call("hold")
    host.logged("holding")
    queued = host.call("thread")
    # Neither of them holds up what runs on the loop, nor the health check.
    assert host.ask("main_thread")["result"] is True
    health = host.result("plugin/health")
    host.ask("release_here")
    names = {host.answer(held)["result"], host.answer(queued)["result"]}
    assert len(names) == 1
    assert health["thread"] not in names
    assert host.ask("wrapped")["result"] is True


def test_the_first_step_runs_in_the_task_and_context_of_the_call(host: ProcessHost) -> None:
    assert host.ask("timeout")["result"] == [True, "mine"]


def test_a_call_leaves_no_context_and_no_task_to_the_next_one_of_its_batch(host: ProcessHost) -> None:
    names = ["sets_context", "finds", "keeps_task", "cancels_kept", "cancels_itself", "finds"]
    first = host.last_id + 1
    host.write_all([host.request("plugin/call", {"method": name, "args": {}}) for name in names])
    results = [host.answer(first + at).get("result", "failed") for at in range(len(names))]
    assert results == [None] * len(names)


def test_errors_that_end_processes_are_answers(host: ProcessHost) -> None:
    for method in ("ends", "ends_in_thread"):
        for kind in ("exit", "interrupt", "generator", "cancel", "stop"):
            assert host.ask(method, {"kind": kind})["error"]["code"] == -32603, (method, kind)
    assert host.result("plugin/ping") == "pong"


def test_a_blocked_loop_answers_pings_until_its_call_is_cancelled(host: ProcessHost) -> None:
    blocked = host.call("blocks")
    host.logged("blocking")
    assert host.result("plugin/ping") == "pong"
    # Also one that comes in two parts.
    host.write_raw(b'{"jsonrpc":"2.0","id":77,"method":"plugin/pi')
    assert host.is_silent(0.1)
    host.write_raw(b'ng"}\n')
    assert host.answer(77)["result"] == "pong"
    # The ids of a host on stdin and stdout are strings.
    host.write_raw(b'{"jsonrpc":"2.0","id":"a:1","method":"plugin/ping"}\n')
    assert host.answer("a:1")["result"] == "pong"
    host.notify("$/cancelRequest", id=blocked)
    host.send("plugin/ping")
    # The loop owes this answer, and does not turn.
    assert host.is_silent(0.3)


def test_a_thread_that_is_stuck_in_a_cancelled_call_answers_no_pings(host: ProcessHost) -> None:
    held = host.call("hold")
    host.logged("holding")
    assert host.result("plugin/ping") == "pong"
    host.notify("$/cancelRequest", id=held)
    assert host.answer(held)["error"]["data"] == {"still_working": True}
    ping = host.send("plugin/ping")
    assert host.is_silent(0.2)
    host.ask("release_here")
    assert host.answer(ping)["result"] == "pong"


def test_a_cancelled_call_is_answered_when_its_work_has_stopped(host: ProcessHost) -> None:
    sleeping = host.call("sleeps")
    host.logged("sleeping")
    host.notify("$/cancelRequest", id=sleeping)
    error = host.answer(sleeping)["error"]
    assert error == {"code": -32800, "message": "The request was cancelled"}
    assert host.ask("said")["result"] == ["finally"]


def test_a_call_that_ignores_its_cancel_is_answered_once_and_early(host: ProcessHost) -> None:
    ignoring = host.call("ignores")
    host.logged("ignoring")
    host.notify("$/cancelRequest", id=ignoring)
    error = host.answer(ignoring)["error"]
    assert error["code"] == -32800
    assert error["data"] == {"still_working": True}
    assert error["message"].startswith("The request was cancelled, but the plugin is still working")
    host.ask("release_here")
    assert host.result("plugin/shutdown") is True
    assert [message for message in host.rest() if message.get("id") == ignoring] == []


def test_a_call_that_waits_for_the_thread_is_cancelled_at_once(host: ProcessHost) -> None:
    held = host.call("hold")
    host.logged("holding")
    queued = host.call("release")
    host.notify("$/cancelRequest", id=queued)
    assert host.answer(queued)["error"] == {"code": -32800, "message": "The request was cancelled"}
    host.ask("release_here")
    assert "result" in host.answer(held)


def test_at_most_max_concurrency_coroutines_run_and_all_are_answered(tmp_path: Path) -> None:
    source = PLUGIN.replace("class Plugin:", "class Plugin:\n        max_concurrency = 2")
    with ProcessHost(tmp_path, source) as host:
        host.start()
        calls = [host.call("counts") for _ in range(10)]
        for cancelled in calls[5:7]:
            host.notify("$/cancelRequest", id=cancelled)
        answers = [host.answer(id) for id in calls]
        assert max(answer["result"] for answer in answers if "result" in answer) == 2
        assert sum("error" in answer for answer in answers) == 2
        assert host.ask("counts")["result"] == 2


def test_coroutines_that_plain_functions_return_count_too(tmp_path: Path) -> None:
    source = """
        import asyncio
        class Plugin:
            max_concurrency = 2
            running = most = 0
            async def run(self):
                self.running += 1
                self.most = max(self.most, self.running)
                await asyncio.sleep(0.02)
                self.running -= 1
                return self.most
            async def pieces(self):
                yield await self.run()
            def decorated(self): return self.run()
            def stream(self): return self.pieces()
    """
    with ProcessHost(tmp_path, source) as host:
        host.start()
        calls = [host.call("decorated") for _ in range(6)]
        assert max(host.answer(id)["result"] for id in calls) == 2
        streams = [host.call("stream", stream={"credit": 8}) for _ in range(6)]
        assert max(host.piece(id)["value"] for id in streams) == 2


def test_what_was_made_at_import_belongs_to_the_loop_of_the_calls(tmp_path: Path) -> None:
    source = """
        import asyncio
        told = asyncio.get_event_loop_policy().get_event_loop().create_future()
        lock = asyncio.Lock()
        class Plugin:
            async def ask(self):
                async with lock:
                    return await told
            async def tell(self, text): told.set_result(text)
    """
    with ProcessHost(tmp_path, source) as host:
        host.start()
        asked = [host.call("ask"), host.call("ask")]
        host.ask("tell", {"text": "yes"})
        assert [host.answer(each).get("result") for each in asked] == ["yes", "yes"]


def test_a_loop_that_was_closed_at_import_is_replaced(tmp_path: Path) -> None:
    source = """
        import asyncio
        asyncio.set_event_loop(asyncio.new_event_loop())
        asyncio.get_event_loop_policy().get_event_loop().close()
        class Plugin:
            async def ask(self): return "yes"
    """
    with ProcessHost(tmp_path, source) as host:
        host.start()
        assert host.ask("ask")["result"] == "yes"
