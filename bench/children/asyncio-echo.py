"""What a Python process needs at least: a JSON-RPC echo on asyncio, which reads its input in a thread."""

import asyncio
import json
import os
import threading


async def answer(message, write):
    write({"jsonrpc": "2.0", "id": message["id"], "result": message["params"]})


async def main():
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    pending = []

    def flush():
        os.write(1, "".join(pending).encode())
        pending.clear()

    def write(message):
        if not pending:
            loop.call_soon(flush)
        pending.append(json.dumps(message, separators=(",", ":")) + "\n")

    def take(lines):
        for line in lines:
            loop.create_task(answer(json.loads(line), write))

    def read():
        rest = b""
        while chunk := os.read(0, 65536):
            *lines, rest = (rest + chunk).split(b"\n")
            loop.call_soon_threadsafe(take, lines)
        loop.call_soon_threadsafe(ended.set_result, None)

    threading.Thread(target=read, daemon=True).start()
    await ended


asyncio.run(main())
