import { fileURLToPath } from 'node:url'
import { PluginHost } from '@appfactory/host'

const pluginsDir = fileURLToPath(new URL('../plugins', import.meta.url))

/** The project as its users run it: PluginHost and a plugin that extends a contract, with checks, timeouts, health and events. */
export async function start() {
  const host = new PluginHost({ pluginsDir })
  const llm = await host.load('echo_llm')
  let loading
  const tts = () => {
    loading ??= host.load('tone_tts')
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
