import { signal } from '@preact/signals'
import type { Method, Plugin } from '../api/types.js'
import { persist } from '../state/persist.js'

/** The method that is shown of each plugin. */
const chosen = signal<ReadonlyMap<string, string>>(new Map())

persist(
  'methods',
  () => [...chosen.value],
  (saved) => {
    chosen.value = new Map(saved)
  },
)

export function chooseMethod({ path }: Plugin, method: string): void {
  chosen.value = new Map([...chosen.value, [path, method]])
}

/** The chosen method, or the first one that the plugin has. */
export function chosenMethod(plugin: Plugin, methods: readonly Method[]): Method | undefined {
  const able = methods.filter((method) => isImplemented(plugin, method))
  return able.find(({ name }) => name === chosen.value.get(plugin.path)) ?? able[0]
}

/** Optional methods that the contract itself answers where a plugin does not. */
const answeredByContract = new Set([
  'tts/get_voice_info',
  'tts/synthesize_stream',
  'stt/transcribe_stream',
  'llm/stream_complete',
  'llm/stream_chat',
])

/** Whether calls of a method come to anything. Of a plugin that is about to start, nobody knows. */
export function isImplemented(
  { loaded, contract, capabilities }: Plugin,
  { name, required }: Method,
): boolean {
  return (
    required || !loaded || capabilities.includes(name) || answeredByContract.has(`${contract ?? ''}/${name}`)
  )
}
