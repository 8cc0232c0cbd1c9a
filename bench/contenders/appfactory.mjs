import { fileURLToPath } from 'node:url'
import { PluginHost } from '@appfactory/host'

const pluginsDir = fileURLToPath(new URL('../plugins', import.meta.url))

/** The project as its users run it: PluginHost and a plugin that extends a contract, with checks, timeouts, health and events. */
export const start = () => startHost('echo_llm', 'tone_tts')

/** The same host, and plugins that do the same in Python. */
export const startPython = () => startHost('echo_llm_py', 'tone_tts_py')

async function startHost(llmName, ttsName) {
  const host = new PluginHost({ pluginsDir })
  const llm = await host.load(llmName)
  let loading
  const tts = () => {
    loading ??= host.load(ttsName)
    return loading
  }
  return {
    host,
    llm,
    tts,
    call: (text) => llm.complete(text),
    bytes: async () => (await (await tts()).synthesize('x')).audio,
    pieces: (count) => llm.streamComplete('hello', { maxTokens: count }),
    stop: () => host.close(),
  }
}
