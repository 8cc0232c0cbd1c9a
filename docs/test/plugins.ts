import type { PluginHandle, PluginHost } from '@appfactory/host'
import type { EmbeddingContract, LLMContract, STTContract, TTSContract } from '@appfactory/sdk'
import { encodeWav, PluginStatus } from '@appfactory/sdk'
import type { Block } from './blocks.js'
import { pythonModuleOf } from './python-plugins.js'

const imports = {
  values: ['encodeWav', 'isPluginError', 'PluginError', 'PluginStatus', 'TTSContract'],
  types: [
    'Awaitable',
    'AudioChunk',
    'ChatMessage',
    'ChatResult',
    'CompletionResult',
    'EmbeddingModel',
    'EmbeddingOptions',
    'EmbeddingResult',
    'GenerationOptions',
    'HealthStatus',
    'Language',
    'Manifest',
    'Model',
    'PluginStatus',
    'StreamOptions',
    'SynthesisOptions',
    'SynthesisResult',
    'TextChunk',
    'TranscriptionOptions',
    'TranscriptionResult',
    'TranscriptUpdate',
    'Voice',
  ],
}

/** The name under which a block can be loaded. */
export function pluginNameOf({ place }: Block): string {
  return `block_${place.replace(/\W/g, '_').toLowerCase()}`
}

/** A block that is loaded, as a plugin's folder in `js/`: TypeScript is compiled to there. */
export function pluginFilesOf(block: Block): Record<string, string> {
  const { language, kind, attributes, text } = block
  const name = pluginNameOf(block)
  const isPython = language === 'python'
  const manifest = {
    name,
    version: '1.0.0',
    contract: attributes[kind] === 'base' ? 'tts' : attributes[kind],
    entry_point: isPython ? '__init__' : 'index.js',
    default_config: JSON.parse(attributes['config'] ?? '{}') as unknown,
  }
  return {
    [`js/plugins/${name}/manifest.json`]: JSON.stringify(manifest),
    ...(isPython
      ? { [`js/plugins/${name}/__init__.py`]: pythonModuleOf(block) }
      : { [`plugins/${name}/index.ts`]: kind === 'members' ? withTheRest(text) : text }),
  }
}

/** Members of a text-to-speech plugin, in a class that inherits the others. */
function withTheRest(members: string): string {
  const types = imports.types.filter((type) => !imports.values.includes(type)).map((type) => `type ${type}`)
  return `import { ${[...imports.values, ...types].join(', ')} } from '@appfactory/sdk'

class Rest extends TTSContract<any> {
  initialize(_config: any): Awaitable<boolean | void> {}
  shutdown(): Awaitable<boolean | void> {}
  healthCheck(): Awaitable<HealthStatus> { return { status: this.status } }
  synthesize(_text: string, _voiceId?: string, _options?: SynthesisOptions): Awaitable<Uint8Array | SynthesisResult> {
    return encodeWav(new Int16Array(1600), { sampleRate: 16_000 })
  }
  getVoices(): Awaitable<Voice[]> { return [{ id: 'default', name: 'Default', language: 'en-US' }] }
}

export default class Shown extends Rest {
${members}
}
`
}

/** An interface as shown, and a function by which TypeScript says whether the SDK's type fits it. */
export function shapeCheckOf({ attributes, text }: Block): string {
  const name = attributes['shape'] ?? ''
  const others = imports.types.filter((type) => type !== name)
  return `import type { ${others.join(', ')}, ${name} as Exported } from '@appfactory/sdk'
${text}
export const shown = (exported: Exported): ${name} => exported
`
}

/** Loads a plugin and calls each method of its contract. */
export async function exercise(host: PluginHost, name: string, contract: string): Promise<PluginStatus> {
  await using plugin = await host.load(name)
  await callAll[contract]?.(plugin)
  return (await plugin.health()).status
}

const callAll: Record<string, (plugin: PluginHandle) => Promise<void>> = {
  tts: async (plugin) => {
    const tts = plugin as PluginHandle<TTSContract>
    await tts.synthesize('Hello.')
    const [voice] = await tts.getVoices()
    if (voice) await tts.getVoiceInfo(voice.id)
    await drain(tts.synthesizeStream('One. Two.'))
  },
  stt: async (plugin) => {
    const stt = plugin as PluginHandle<STTContract>
    const audio = encodeWav(new Int16Array(16_000), { sampleRate: 16_000 })
    await stt.transcribe(audio)
    await stt.getLanguages()
    await drain(stt.transcribeStream(audio))
  },
  llm: async (plugin) => {
    const llm = plugin as PluginHandle<LLMContract>
    await llm.complete('Once')
    await llm.chat([{ role: 'user', content: 'Hello' }])
    await llm.getModels()
    await drain(llm.streamComplete('Once'))
    await drain(llm.streamChat([{ role: 'user', content: 'Hello' }]))
  },
  embedding: async (plugin) => {
    const embedder = plugin as PluginHandle<EmbeddingContract>
    await embedder.embed(['Hello', ''])
    await embedder.getModels()
  },
}

async function drain(pieces: AsyncIterable<unknown>): Promise<void> {
  for await (const _piece of pieces);
}

/** What a plugin says of itself when all is well. */
export const well: readonly PluginStatus[] = [PluginStatus.READY, PluginStatus.BUSY]
