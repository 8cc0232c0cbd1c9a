import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect } from 'vitest'
import { LinesProcess } from '../../../sdk/test/lines-process.js'
import { type AtEnd, tempDir, writeFiles } from '../../../sdk/test/temp-dir.js'

const command = fileURLToPath(new URL('../../bin/appfactory-host.js', import.meta.url))

/** The members of a plugin's class that a test leaves alone. */
const lifecycle = `
  async initialize(config) { this.config = config }
  async shutdown() {}
  healthCheck() { return { status: this.status } }
`

/** The files of a TTS plugin whose other members are `members`. */
export function ttsPlugin(name: string, members = '', manifest: Record<string, unknown> = {}) {
  return {
    [`${name}/manifest.json`]: JSON.stringify({
      name,
      version: '1.0.0',
      contract: 'tts',
      entry_point: 'index.js',
      ...manifest,
    }),
    [`${name}/package.json`]: '{"type":"module"}',
    [`${name}/index.js`]: `
import { TTSContract, PluginError, encodeWav } from '@appfactory/sdk'
export default class TestPlugin extends TTSContract {
  ${lifecycle}
  synthesize(text) { return encodeWav(new Int16Array(80), { sampleRate: 8000 }) }
  getVoices() { return [{ id: '${name}', name: 'pid ' + process.pid, language: 'en' }] }
  ${members}
}`,
  }
}

/**
 * A member that writes a line where the plugin's messages go, behind the SDK's back: a pipe of their own, or stdout on Windows. All
 * of it goes at once, so that the SDK's own messages stay whole.
 */
export const writeLineMember = `
  writeLine = (({ writeSync }) => (line) => {
    for (let rest = Buffer.from(line + '\\n'); rest.length > 0; ) try {
      rest = rest.subarray(writeSync(process.platform === 'win32' ? 1 : 4, rest))
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  })(process.getBuiltinModule('node:fs'))
`

/** A plugin whose calls say when they begin and wait to be released, and that streams without end. */
export const patientMembers = `
  waiting = new Map()
  async synthesize(text, voiceId, { signal }) {
    if (text === 'release') { for (const release of this.waiting.values()) release() }
    else await new Promise((resolve, reject) => {
      this.waiting.set(text, resolve)
      signal.addEventListener('abort', () => { console.error('aborted ' + text); reject(signal.reason) })
      console.error('begun ' + text)
    })
    return encodeWav(new Int16Array(8), { sampleRate: 8000 })
  }
  async *synthesizeStream(text) {
    try {
      for (let index = 0; text === 'endless' || index < Number(text); index++)
        yield { audio: encodeWav(new Int16Array(8), { sampleRate: 8000 }), text: String(index) }
    } finally { console.error('generator closed') }
  }
`

/** A real `appfactory-host` on these plugins, started by the command `through` where there is one. */
export function startHost(
  files: Record<string, string> = {},
  args: readonly string[] = [],
  through: readonly string[] = [],
  atEnd?: AtEnd,
): LinesProcess & { readonly dir: string } {
  const dir = tempDir({}, atEnd)
  writeFiles(`${dir}/plugins`, { '.keep': '', ...files })
  const host = new LinesProcess(command, [...args], { cwd: dir, through, ...(atEnd && { atEnd }) })
  return Object.assign(host, { dir })
}

/** A host for all tests of a `describe` or a file, with these plugins loaded; none of them may have ended it. */
export function sharedHost(files: Record<string, string>, loaded: readonly string[]): () => LinesProcess {
  const cleanups: (() => void | Promise<void>)[] = []
  let host: LinesProcess
  beforeAll(async () => {
    host = startHost(files, [], [], (cleanup) => void cleanups.unshift(cleanup))
    for (const name of loaded) await host.result('plugin/load', { name })
  })
  afterAll(async () => {
    const exit = await host.finish()
    for (const cleanup of cleanups) await cleanup()
    expect(exit.code).toBe(0)
    expect(host.garbage).toEqual([])
  })
  return () => host
}

/** Resolves once a plugin has logged a line that contains `text`. `events/subscribe` must have been called. */
export async function logged(host: LinesProcess, text: string): Promise<void> {
  await host.notification('event', ({ type, message }) => type === 'log' && String(message).includes(text))
}

/** The process id of a plugin of `ttsPlugin`. */
export async function pidOf(host: LinesProcess, plugin: string): Promise<number> {
  const voices = await host.result<{ name: string }[]>('plugin/call', { plugin, method: 'get_voices' })
  return Number(voices[0]?.name.slice(4))
}
