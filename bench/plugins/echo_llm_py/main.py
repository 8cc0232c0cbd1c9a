import threading

from contracts.base import HealthStatus, PluginStatus
from contracts.llm_contract import LLMContract


class Echo(LLMContract):
    async def initialize(self, config):
        return True

    async def shutdown(self):
        return True

    def health_check(self):
        return HealthStatus(status=PluginStatus.READY)

    async def complete(self, prompt, max_tokens=1024):
        if prompt == "stuck":
            # Ends with the process and not before.
            threading.Thread(target=threading.Event().wait).start()
        return prompt

    async def chat(self, messages):
        return messages[-1]

    async def get_models(self):
        return []

    async def stream_complete(self, prompt, max_tokens=1024):
        for _ in range(max_tokens):
            yield prompt
