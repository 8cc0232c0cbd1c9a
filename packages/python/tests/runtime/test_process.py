"""What the author's code does to its process, and how the process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from process_host import ProcessHost


def test_each_thing_that_is_said_is_one_entry_of_the_log_with_its_level(tmp_path: Path) -> None:
    source = """
        import logging, sys, threading, traceback, warnings
        logging.basicConfig(level=logging.DEBUG, format="overridden %(message)s")
        class Plugin:
            async def talk(self):
                print("one", 2, "é", "\\ud800")
                print("a", end=""); print("b")
                print("two\\nlines")
                sys.stdout.buffer.write(b"bytes \\xff\\n")
                sys.stdout.reconfigure(encoding="latin-1"); sys.stdout.flush(); sys.stdout.isatty()
                sys.stderr.write("to stderr\\n")
                logging.getLogger("engine").info("loading")
                logging.error("first\\nsecond")
                logging.critical("worst")
                warnings.warn("old")
                try: 1 / 0
                except ZeroDivisionError:
                    logging.getLogger("engine").exception("it failed")
                    traceback.print_exc()
                thread = threading.Thread(target=lambda: {}["thread"], name="mine")
                thread.start(); thread.join()
                print("last")
    """
    with ProcessHost(tmp_path, source) as host:
        host.start()
        host.ask("talk")
        host.logged("<6>last")
        log = "\n".join(host.log)
    for entry in (
        "<6>one 2 é \\ud800\n<6>ab\n<6>two\n<6>lines\n<6>bytes \\xff\n<4>to stderr\n<6>engine: loading\n",
        "<3>first\n second\n<2>worst\n",
        "old",
        "<3>engine: it failed\n Traceback (most recent call last):\n ",
        "\n ZeroDivisionError: division by zero\n<4>Traceback (most recent call last):\n ",
        "<3>Uncaught error in the thread mine: 'thread'\n Traceback",
    ):
        assert entry in log
    assert "overridden" not in log
    assert all(line.startswith(("<", " ")) for line in log.split("\n"))


def test_input_is_empty_for_the_author_and_for_children(tmp_path: Path) -> None:
    source = """
        import subprocess, sys
        class Plugin:
            def ask(self):
                try: input("name? ")
                except EOFError: pass
                command = "import sys; print(repr(sys.stdin.read()))"
                return subprocess.run([sys.executable, "-c", command], stdout=subprocess.PIPE).stdout.decode()
    """
    with ProcessHost(tmp_path, source, fd3=True) as host:
        host.start()
        assert host.ask("ask")["result"].startswith("''")


@pytest.mark.parametrize("sign", ["end of input", "SIGTERM"])
@pytest.mark.parametrize("state", ["idle", "stuck"])
def test_the_process_ends_by_itself_and_shuts_down_once(tmp_path: Path, sign: str, state: str) -> None:
    source = """
        import threading, time
        class Plugin:
            async def shutdown(self): print("shut down")
            def stuck(self):
                threading.Thread(target=self.forever).start()
                self.forever()
            def forever(self):
                print("begun")
                while True: time.sleep(0.001)
    """
    with ProcessHost(tmp_path, source) as host:
        host.start()
        if state == "stuck":
            host.call("stuck")
            host.logged("begun")
        host.hang_up() if sign == "end of input" else host.process.terminate()
        assert host.wait() == 0
        assert host.logged("shut down")
        assert sum("shut down" in line for line in host.log) == 1


def test_a_blocked_loop_does_not_hold_the_process_when_the_host_is_gone(tmp_path: Path) -> None:
    source = """
        class Plugin:
            async def forever(self):
                print("begun")
                while True: pass
    """
    folders = tmp_path / "one", tmp_path / "two"
    for folder in folders:
        folder.mkdir()
    # Both at once: each takes its whole grace.
    with ProcessHost(folders[0], source) as left, ProcessHost(folders[1], source) as stopped:
        for host in (left, stopped):
            host.start()
            host.call("forever")
            host.logged("begun")
        left.hang_up()
        stopped.process.terminate()
        assert left.wait() == stopped.wait() == 0


def test_unloading_answers_all_calls_and_ends_whatever_threads_do(tmp_path: Path) -> None:
    source = """
        import asyncio, atexit, threading, time
        atexit.register(time.sleep, 1000)
        class Plugin:
            async def shutdown(self): print("shut down", end="")
            async def wait(self): await asyncio.sleep(1000)
            def block(self):
                threading.Thread(target=time.sleep, args=(1000,)).start()
                print("begun")
                time.sleep(1000)
    """
    with ProcessHost(tmp_path, source) as host:
        host.start()
        waiting, blocked = host.call("wait"), host.call("block")
        host.logged("begun")
        assert host.result("plugin/shutdown") is True
        assert host.answer(waiting)["error"]["code"] == -32001
        assert host.answer(blocked)["error"]["data"] == {"still_working": True}
        assert host.wait() == 0
        assert host.logged("shut down")


def test_forked_children_have_no_part_in_the_connection(tmp_path: Path) -> None:
    source = """
        import multiprocessing, os
        class Plugin:
            def pool(self):
                with multiprocessing.get_context("fork").Pool(2) as pool:
                    return pool.map(abs, [-1, -2])
            async def fork(self):
                child = os.fork()
                # It goes on as if it were the plugin.
                if child == 0: return "child"
                os.waitpid(child, 0)
                return "parent"
            def sync_fork(self, fails): return self.status(fails)
            async def async_fork(self, fails): return self.status(fails)
            def status(self, fails):
                child = os.fork()
                if child == 0:
                    if fails: raise RuntimeError("in the child")
                    print("said by the child", end="")
                    raise SystemExit(3)
                return os.waitpid(child, 0)[1] >> 8
    """
    with ProcessHost(tmp_path, source) as host:
        host.start()
        assert host.ask("fork")["result"] == "parent"
        for method in ("sync_fork", "async_fork"):
            assert host.ask(method, {"fails": False})["result"] == 3
            assert host.ask(method, {"fails": True})["result"] == 1
        assert host.logged("said by the child") and host.logged("in the child")
        # Leaving the pool sends SIGTERM to its children.
        assert host.ask("pool")["result"] == [1, 2]
        assert host.result("plugin/ping") == "pong"
        assert host.result("plugin/shutdown") is True
        assert "child" not in str(host.rest())


def test_a_child_that_gets_sigterm_before_it_has_begun_ends() -> None:
    # Without a plugin around it, the parent is fast enough.
    source = """
        import os, signal, time
        from appfactory.runtime import process
        process.watch_forks()
        process.watch_terminate(lambda: None)
        for _ in range(20):
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            os.kill(child, signal.SIGTERM)
            assert os.waitpid(child, 0)[1] == signal.SIGTERM
        assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(source)], check=True, timeout=30)


def test_children_can_print_whatever_threads_do_at_their_fork(tmp_path: Path) -> None:
    source = """
        import os, sys, threading
        class Plugin:
            def fork(self):
                held, forked = threading.Event(), threading.Event()
                def hold():
                    with sys.stdout._lock:
                        held.set()
                        forked.wait()
                threading.Thread(target=hold).start()
                held.wait()
                child = os.fork()
                if child == 0:
                    print("said by the child")
                    os._exit(0)
                forked.set()
                return os.waitpid(child, 0)[1]
    """
    with ProcessHost(tmp_path, source) as host:
        host.start()
        assert host.ask("fork")["result"] == 0
        assert host.logged("said by the child")


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no SIGALRM")
def test_a_handler_of_a_signal_that_fails_does_not_end_the_process(tmp_path: Path) -> None:
    source = """
        import os, signal
        class Plugin:
            def __init__(self): signal.signal(signal.SIGALRM, self.fail)
            def fail(self, *_): raise TimeoutError("took too long")
            async def pid(self): return os.getpid()
    """
    with ProcessHost(tmp_path, source) as host:
        host.start()
        os.kill(host.ask("pid")["result"], signal.SIGALRM)
        host.logged("took too long")
        assert host.result("plugin/ping") == "pong"


def test_where_no_thread_can_be_started_the_next_call_tries_again(tmp_path: Path) -> None:
    source = """
        import threading
        start = threading.Thread.start
        def refuse(thread): raise RuntimeError("can't start new thread")
        class Plugin:
            async def refuse(self): threading.Thread.start = refuse
            async def allow(self): threading.Thread.start = start
            def work(self): return "done"
    """
    with ProcessHost(tmp_path, source) as host:
        host.start()
        host.ask("refuse")
        assert "can't start new thread" in host.ask("work")["error"]["message"]
        host.ask("allow")
        assert host.ask("work")["result"] == "done"


def test_a_task_that_wants_to_end_the_process_does_not(tmp_path: Path) -> None:
    source = """
        import asyncio, sys
        class Plugin:
            async def begin(self): self.task = asyncio.ensure_future(self.leave())
            async def leave(self): sys.exit(3)
    """
    with ProcessHost(tmp_path, source) as host:
        host.start()
        host.ask("begin")
        host.logged("wants to end the process")
        assert host.result("plugin/ping") == "pong"


def test_what_fails_before_the_handshake_is_its_answer(tmp_path: Path) -> None:
    for source, code in (
        ("raise SystemExit(3)", -32603),
        ("class Plugin:\n    def __init__(self): 1 / 0", -32603),
    ):
        with ProcessHost(tmp_path, source) as host:
            with pytest.raises(AssertionError, match=str(code)):
                host.start()
            assert host.result("plugin/shutdown") is True
            assert host.wait() == 0


def test_what_was_not_granted_is_refused_with_what_to_grant(tmp_path: Path) -> None:
    source = """
        import os, socket, subprocess, sys
        class Plugin:
            def read(self, path): return open(path).read()
            def write(self, path): open(path, "w").write("x")
            def remove(self, path): os.remove(path)
            def run(self): subprocess.run([sys.executable, "--version"])
            def connect(self): socket.create_connection(("127.0.0.1", 9))
            def database(self, path):
                import sqlite3
                sqlite3.connect(":memory:").close()
                sqlite3.connect(path).execute("create table a (b)")
                sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute("select * from a")
            def late(self): import wave, zoneinfo; return wave.__name__
    """
    plugin = tmp_path / "plugin"
    secret, allowed = tmp_path / "secret.txt", tmp_path / "allowed"
    plugin.mkdir()
    allowed.mkdir()
    secret.write_text("secret")
    (plugin / "own.txt").write_text("own")
    manifest = {"name": "stand_in", "permissions": ["fs_write:../allowed"]}
    with ProcessHost(plugin, source, manifest=manifest) as host:
        host.start()
        assert host.ask("read", {"path": "own.txt"})["result"] == "own"
        assert host.ask("late")["result"] == "wave"
        assert host.ask("write", {"path": str(allowed / "new.txt")}).get("error") is None
        assert host.ask("read", {"path": str(allowed / "new.txt")})["result"] == "x"
        assert host.ask("database", {"path": str(allowed / "new.db")}).get("error") is None
        for method, path, grant in (
            ("read", secret, "fs_read"),
            ("write", plugin / "new.txt", "fs_write"),
            ("remove", secret, "fs_write"),
            ("database", plugin / "new.txt", "fs_write"),
            ("run", None, "child_process"),
            ("connect", None, "network"),
        ):
            args = {} if path is None else {"path": str(path)}
            message = host.ask(method, args)["error"]["message"]
            assert "PermissionError" in message
            assert f'add "{grant}"' in message
    assert secret.read_text() == "secret"
    assert not (plugin / "new.txt").exists()


def test_ssl_is_loaded_when_something_needs_it(tmp_path: Path) -> None:
    source = """
        import asyncio, sys
        class Plugin:
            async def is_loaded(self): return "ssl" in sys.modules
            async def talks_tls(self):
                async def answer(reader, writer):
                    writer.write(b"this is not TLS\\n")
                server = await asyncio.start_server(answer, "127.0.0.1", 0)
                port = server.sockets[0].getsockname()[1]
                try:
                    await asyncio.open_connection("127.0.0.1", port, ssl=True)
                except OSError as error:
                    return [type(error).__module__, error.reason]
    """
    with ProcessHost(tmp_path, source) as host:
        host.start()
        assert host.ask("is_loaded")["result"] is False
        assert host.ask("talks_tls")["result"] == ["ssl", "WRONG_VERSION_NUMBER"]
