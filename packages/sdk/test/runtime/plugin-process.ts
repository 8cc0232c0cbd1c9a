import { fileURLToPath } from 'node:url'
import { LinesProcess, type RawMessage } from '../lines-process.js'
import { tempDir } from '../temp-dir.js'

export const runtimeFile = fileURLToPath(new URL('../../dist/runtime/main.js', import.meta.url))

/** What a class needs beside its contract's methods. */
export const lifecycle = `
  async initialize(config) { this.config = config }
  async shutdown() {}
  healthCheck() { return { status: this.status } }
`

/** A TTS plugin whose other members are `members`. */
export function ttsPlugin(members: string, before = ''): string {
  return `
import { TTSContract, PluginError, encodeWav } from '@appfactory/sdk'
${before}
export default class TestPlugin extends TTSContract {
  ${lifecycle}
  synthesize(text) { return encodeWav(new Int16Array(80), { sampleRate: 8000 }) }
  getVoices() { return [{ id: 'a', name: 'A', language: 'en' }] }
  ${members}
}`
}

/** The runtime, running the entry point of these files; nothing is said to it yet. */
export function startRuntime(files: Record<string, string> | string, entry = 'index.js'): LinesProcess {
  const dir = tempDir(
    typeof files === 'string' ? { 'index.js': files, 'package.json': '{"type":"module"}' } : files,
  )
  return new LinesProcess(runtimeFile, [`${dir}/${entry}`, '--provide-sdk'], { cwd: dir })
}

export function handshake(
  plugin: LinesProcess,
  { contract = 'tts', versions = [1] }: { contract?: string; versions?: unknown[] } = {},
): Promise<RawMessage> {
  return plugin.ask('plugin/handshake', {
    protocol_versions: versions,
    host_version: '0.1.0',
    manifest: {
      name: 'test',
      version: '1.2.3',
      contract,
      entry_point: 'index.js',
      runtime: 'node',
      dependencies: [],
    },
    max_message_bytes: 8 * 1024 * 1024,
    wants_config_schema: true,
  })
}

/** A plugin that is ready to be called. */
export async function startPlugin(source: string, contract = 'tts'): Promise<LinesProcess> {
  const plugin = startRuntime(source)
  const { error } = await handshake(plugin, { contract })
  if (error) throw new Error(error.message)
  await plugin.result('plugin/initialize', { config: {} })
  return plugin
}
