import type { Block } from './blocks.js'

/** What blocks of members use and do not define. */
const theRest = `import asyncio
import inspect
from contracts import base
from contracts.llm_contract import LLMContract
from contracts.stt_contract import STTContract
from contracts.tts_contract import TTSContract


class ModelError(Exception):
    pass


class Engine:
    def unload(self):
        pass

    async def close(self):
        pass


class Life(base.PluginBase):
    async def initialize(self, config):
        self._status = PluginStatus.READY
        return True

    async def shutdown(self):
        return True

    def health_check(self):
        return HealthStatus(status=self._status)


class Rest(Life, TTSContract):
    _model = _connection = Engine()
    _cache = {"a": 1}
    _settings = {"speed": 2}

    async def synthesize(self, text, voice_id=None):
        return self._sync_synthesis(text, voice_id)

    async def get_voices(self):
        return [{"id": "default", "name": "Default", "language": "en-US"}]

    def _sync_synthesis(self, text, voice_id):
        return bytes(2000)

    async def _do_synthesis(self, text, voice_id):
        if text == "broken":
            raise ModelError("no model")
        return bytes(2000)

    def _get_memory_usage(self):
        return 1.5


`

/** Refuses a class PluginBase whose methods are not those of contracts.base. */
const comparison = `
for name, shown in vars(PluginBase).items():
    if not name.startswith("_"):
        given = getattr(base.PluginBase, name)
        assert list(inspect.signature(shown).parameters) == list(inspect.signature(given).parameters), name
        assert inspect.iscoroutinefunction(shown) == inspect.iscoroutinefunction(given), name
        assert shown.__isabstractmethod__ == given.__isabstractmethod__, name

Plugin = Rest
`

/** The entry module of a block in Python. */
export function pythonModuleOf({ kind, attributes, text }: Block): string {
  if (kind === 'plugin') return text
  if (attributes['shape'] === 'base') return theRest + text + comparison
  const [, shown] = /^class (\w+)\(/m.exec(text) ?? []
  if (shown === undefined) return `${theRest}class Plugin(Rest):\n${text.replace(/^(?=.)/gm, '    ')}`
  return `${theRest}${text}\n\nclass Plugin(${shown}, ${attributes[kind] === 'tts' ? 'Rest' : 'Life'}):\n    pass\n`
}

/** The names of the methods that a block in Python shows. */
export function methodsIn({ text }: Block): string[] {
  return [...text.matchAll(/^ {4}(?:async )?def (\w+)/gm)].map(([, name = '']) => name)
}
