import io
import wave

from contracts.base import HealthStatus, PluginStatus
from contracts.tts_contract import TTSContract

file = io.BytesIO()
with wave.open(file, "wb") as writer:
    writer.setnchannels(1)
    writer.setsampwidth(2)
    writer.setframerate(16_000)
    writer.writeframes(bytes(1024 * 1024 - 44))
audio = file.getvalue()


class Tone(TTSContract):
    async def initialize(self, config):
        return True

    async def shutdown(self):
        return True

    def health_check(self):
        return HealthStatus(status=PluginStatus.READY)

    async def synthesize(self, text, voice_id=None):
        return audio

    async def get_voices(self):
        return []
