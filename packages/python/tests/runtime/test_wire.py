"""Messages both ways, with a real process of the runtime."""

from __future__ import annotations

from pathlib import Path

from process_host import ProcessHost

PLUGIN = """
    class Plugin:
        async def echo(self, **args):
            return args

        async def answer(self, kind):
            nested = []
            for _ in range(100_000):
                nested = [nested]
            kinds = {"set": {1}, "long": "x" * 2000, "nan": float("nan"), "deep": nested, "lone": "\\ud800"}
            return kinds[kind]
"""


def test_each_bad_line_is_answered_with_its_own_error_and_the_next_one_is_served(tmp_path: Path) -> None:
    bad = [
        (b"this is not JSON", None, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"n":NaN}}', None, -32700),
        (b'\xff{"jsonrpc":"2.0"}', None, -32700),
        (b"[]", None, -32600),
        (b'{"jsonrpc":"1.0","id":901,"method":"plugin/ping"}', 901, -32600),
        (b'{"jsonrpc":"2.0","id":902,"method":7}', 902, -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"plugin/ping"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":903,"method":"plugin/ping","params":7}', 903, -32600),
        (b'{"jsonrpc":"2.0","id":904,"method":"plugin/call","params":{"n":1e400}}', 904, -32600),
        (b'{"jsonrpc":"2.0","id":905,"method":"plugin/call","params":{"__proto__":1}}', 905, -32600),
        (b'{"jsonrpc":"2.0","id":911,"method":"plugin/call","params":{"\\u005f_proto__":1}}', 911, -32600),
        (
            b'{"jsonrpc":"2.0","id":906,"method":"plugin/call","params":{"a":'
            + b"[" * 600
            + b"]" * 600
            + b"}}",
            906,
            -32600,
        ),
        (b"[" * 200_000 + b"]" * 200_000, None, -32600),
        (b'{"jsonrpc":"2.0","id":907,"method":"plugin/sing","params":{}}', 907, -32601),
        (b'{"jsonrpc":"2.0","id":908,"method":"plugin/call","params":{"method":"sing"}}', 908, -32601),
        (
            b'{"jsonrpc":"2.0","id":909,"method":"plugin/call","params":{"method":"echo","args":[]}}',
            909,
            -32602,
        ),
        (
            b'{"jsonrpc":"2.0","id":910,"method":"plugin/call","params":{"method":"echo","stream":true}}',
            910,
            -32602,
        ),
    ]
    with ProcessHost(tmp_path, PLUGIN) as host:
        host.start()
        for line, id, code in bad:
            host.write_raw(line + b"\n")
            answer = host.answer(id)
            assert answer["error"]["code"] == code, (line[:60], answer)
            assert host.result("plugin/ping") == "pong"
        # Neither a response nor a notification is owed an answer.
        host.write_raw(b'{"jsonrpc":"2.0","id":1,"result":1}\n{"jsonrpc":"2.0","method":"$/nonsense"}\n')
        assert host.ask("echo", {"text": "on"})["result"] == {"text": "on"}
        assert host.unread == []


def test_lines_arrive_however_they_are_cut_and_ended(tmp_path: Path) -> None:
    with ProcessHost(tmp_path, PLUGIN, fd4=False) as host:
        host.start()
        assert host.result("plugin/ping") == "pong"
        line = (
            '{"jsonrpc":"2.0","id":50,"method":"plugin/call","params":{"method":"echo","args":{"é":"😀"}}}\n'
        )
        for byte in line.encode():
            host.write_raw(bytes([byte]))
        assert host.answer(50)["result"] == {"é": "😀"}
        host.write_raw(b'\xef\xbb\xbf{"jsonrpc":"2.0","id":51,"method":"plugin/ping"}\r\n \r\n\n')
        assert host.answer(51)["result"] == "pong"
        host.write_raw(
            b'{"jsonrpc":"2.0","id":52,"method":"plugin/call","params":{"method":"echo","args":{}}}'
        )
        host.hang_up()
        assert host.answer(52)["result"] == {}
        assert host.wait() == 0


def test_what_is_too_long_is_refused_both_ways(tmp_path: Path) -> None:
    with ProcessHost(tmp_path, PLUGIN, max_message_bytes=1000) as host:
        host.start()
        host.write_raw(
            b'{"jsonrpc":"2.0","id":70,"method":"plugin/ping","params":{"x":"' + b"x" * 300_000 + b'"}}\n'
        )
        error = host.answer(None)["error"]
        assert (error["code"], error["data"]) == (-32053, {"limit": 1000})
        error = host.ask("answer", {"kind": "long"})["error"]
        assert error["code"] == -32053
        assert error["data"]["limit"] == 1000
        assert host.result("plugin/ping") == "pong"


def test_an_answer_that_is_no_json_becomes_an_error(tmp_path: Path) -> None:
    with ProcessHost(tmp_path, PLUGIN) as host:
        host.start()
        for kind in ("set", "nan", "deep"):
            assert host.ask("answer", {"kind": kind})["error"]["code"] == -32603, kind
        assert host.ask("answer", {"kind": "lone"})["result"] == "\ud800"


def test_an_id_in_flight_is_refused_and_the_first_call_goes_on(tmp_path: Path) -> None:
    source = """
        import asyncio
        class Plugin:
            def __init__(self): self.go = asyncio.Event()
            async def wait(self): await self.go.wait(); return "first"
            async def release(self): self.go.set()
    """
    with ProcessHost(tmp_path, source) as host:
        host.start()
        id = host.call("wait")
        host.write({"jsonrpc": "2.0", "id": id, "method": "plugin/ping2"})
        assert host.answer(id)["error"]["code"] == -32600
        host.ask("release")
        assert host.answer(id)["result"] == "first"


def test_what_comes_before_the_handshake_is_told_so(tmp_path: Path) -> None:
    with ProcessHost(tmp_path, PLUGIN) as host:
        assert host.result("plugin/ping") == "pong"
        assert host.ask("echo")["error"]["code"] == -32001
        assert (
            host.answer(host.send("plugin/handshake", {"protocol_versions": [99]}))["error"]["code"] == -32060
        )
        assert host.ask("echo")["error"]["code"] == -32001
        assert host.result("plugin/shutdown") is True
        assert host.wait() == 0


def test_the_messages_are_out_of_reach_on_descriptor_4(tmp_path: Path) -> None:
    source = """
        import os, subprocess, sys
        class Plugin:
            def shout(self):
                os.write(1, b"raw\\n")
                print('{"jsonrpc":"2.0","id":1,"result":"forged"}')
                sys.__stdout__.write("original\\n")
                subprocess.run([sys.executable, "-c", "print('child', input.__name__)"])
                return {"stdin": os.read(0, 10).decode()}
    """
    with ProcessHost(tmp_path, source) as host:
        assert host.start()["message_channels"] == ["fd4"]
        assert host.ask("shout")["result"] == {"stdin": ""}
        for said in ("raw", "forged", "original", "child input"):
            host.logged(said)
        assert host.noise == []
        assert host.unread == []
