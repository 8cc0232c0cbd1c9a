"""The subject of the torture in Python: answers with the token of the call, and does on demand what goes wrong.

`prompt` is `{"token", "work"?: ms, "fault"?, "size"?, "flood"?}` as JSON. Its state: how many calls it has answered.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import time

from contracts.base import HealthStatus, PluginStatus
from contracts.llm_contract import LLMContract

MESSAGES = 4
"""The runtime's own end of the pipe for messages."""


def write(descriptor, data):
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


FORGED = (
    b'{"jsonrpc":"2.0","id":999999999,"result":{"text":"forged"}}\n'
    b'{"jsonrpc":"2.0","method":"$/stream","params":{"id":999999999,"seq":0,"value":1}}\n'
)


def throw():
    def fail():
        raise RuntimeError("outside of any call")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


def loop():
    while True:
        pass


def forged():
    write(1, FORGED)
    write(MESSAGES, FORGED)


def refuse():
    raise RuntimeError("refused")


def stuck():
    """Ends with the process and not before."""
    threading.Thread(target=threading.Event().wait).start()


FAULTS = {
    "exit": lambda: os._exit(7),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "throw": throw,
    "loop": loop,
    "noise": lambda: write(1, 'noise \u00e9 {"jsonrpc": \n'.encode() * 200),
    "forged": forged,
    "stderr": lambda: print("x" * 1_000_000, file=sys.stderr),
    "oversize": lambda: write(MESSAGES, b"x" * 9_000_000),
    "refuse": refuse,
    "stuck": stuck,
}

FLOODS = {
    "noise": (1, 'noise \u00e9 {"jsonrpc": \n'.encode()),
    "notifications": (MESSAGES, b'{"jsonrpc":"2.0","method":"progress","params":{"of":"nothing"}}\n'),
    "stderr": (2, b"so much to say\n"),
}


async def flood(kind, milliseconds):
    """As much as the host takes, for some ms, while the calls go on."""
    descriptor, line = FLOODS[kind]
    end = time.monotonic() + milliseconds / 1000
    while time.monotonic() < end:
        write(descriptor, line * 500)
        await asyncio.sleep(0)


class Subject(LLMContract):
    answered = 0

    async def initialize(self, config):
        return True

    async def shutdown(self):
        return True

    def health_check(self):
        return HealthStatus(status=PluginStatus.READY)

    async def get_models(self):
        return [{"id": "one", "name": "One"}]

    async def chat(self, messages):
        return {"role": "assistant", "content": str(os.getpid())}

    async def complete(self, prompt):
        begun = time.monotonic()
        order = json.loads(prompt)
        work = order.get("work", 0)
        if "fault" in order:
            FAULTS[order["fault"]]()
        if "flood" in order:
            await flood(order["flood"], work)
        elif work > 0:
            await asyncio.sleep(work / 1000)
        self.answered += 1
        metadata = {
            "number": self.answered,
            "ms": (time.monotonic() - begun) * 1000,
            "pad": "x" * order.get("size", 0),
        }
        return {"text": order["token"], "finish_reason": "stop", "metadata": metadata}

    async def stream_complete(self, prompt):
        order = json.loads(prompt)
        for index in range(order.get("pieces", 20)):
            if "fault" in order and index == 3:
                FAULTS[order["fault"]]()
            if index % 8 == 0:
                await asyncio.sleep(0.001)
            yield f"{order['token']}#{index} "


class StatefulSubject(Subject):
    def capture_state(self):
        return {"answered": self.answered, "bytes": bytes([7]) * 1000}

    def restore_state(self, state):
        if state["bytes"] != bytes([7]) * 1000:
            raise RuntimeError("the bytes are not what they were")
        self.answered = state["answered"]
