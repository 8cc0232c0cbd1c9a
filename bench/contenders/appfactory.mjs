import { fileURLToPath } from 'node:url'
import { PluginHost } from '@appfactory/host'

const pluginsDir = fileURLToPath(new URL('../plugins', import.meta.url))

/** The project as its users run it: PluginHost and a plugin that extends a contract, with checks, timeouts, health and events. */
export async function start() {
  const host = new PluginHost({ pluginsDir })
  const llm = await host.load('echo_llm')
  let tts
  return {
    host,
    call: (text) => llm.complete(text),
    bytes: async () => {
      tts ??= host.load('tone_tts')
      return (await (await tts).synthesize('x')).audio
    },
    stop: () => host.close(),
  }
}
