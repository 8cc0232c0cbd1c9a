import { type HostOptions, PluginHost } from '@appfactory/host'
import { afterAll, beforeAll, expect } from 'vitest'
import { makeFolder, ttsPlugin, writePlugin } from '../../host/test/fixtures/plugins.js'
import { listener } from '../../host/test/fixtures/swapping.js'
import { Cluster } from '../src/cluster.js'
import type { CallerLimits } from '../src/remote-plugin.js'
import { MemoryCable } from './memory-cable.js'

/** Says which process it is, waits until it is told to go on, and counts what it makes. */
export const speaker = ttsPlugin(`
  made = 0
  waiting = new Set()
  async getVoices() {
    if (this.config.crashes) process.exit(1)
    if (this.config.hangs) await new Promise(() => {})
    return [{ id: String(process.pid), name: this.manifest.version, language: 'en', metadata: { made: this.made } }]
  }
  async synthesize(text, voiceId, { signal }) {
    this.made += 1
    if (text === 'release') for (const release of this.waiting) release()
    if (text === 'wait')
      await new Promise((resolve, reject) => {
        this.waiting.add(resolve)
        signal.addEventListener('abort', () => { this.made = -1; reject(signal.reason) })
      })
    if (text === 'imitate') {
      const data = { plugin: 'speaker', limit: 'maxCallsInFlight', value: 1, refused: true }
      throw new PluginError('RESOURCE_EXHAUSTED', 'As if the host had said it', data)
    }
    if (text === 'refuse') throw new PluginError('TTS_TEXT_TOO_LONG', 'Too long', { limit: 3 })
    return encodeWav(new Int16Array(text === 'large' ? 5e5 : text.length).fill(258), { sampleRate: 8000 })
  }
  async *synthesizeStream(text) {
    const piece = (text) => ({ audio: new Uint8Array(2), format: 'pcm_s16le', sampleRate: 8000, channels: 1, text })
    if (typeof text !== 'string') { for await (const part of text) yield piece(part); return }
    try {
      while (true) { this.made += 1; yield piece(String(process.pid)) }
    } finally { this.made = -1 }
  }
`)

/** Hosts with plugins that run, for a file of tests. Each test joins them to a cluster of its own. */
export function startHosts(names: readonly string[], plugins = ['speaker', 'serial', 'ears']) {
  const folder = makeFolder()
  const hosts = new Map<string, PluginHost>()
  const start = async (options: HostOptions, loaded: readonly string[]): Promise<PluginHost> => {
    const restart = { firstDelayMs: 1, maxCrashes: 100 }
    const host = new PluginHost({ pluginsDir: folder.path, restart, ...options })
    await Promise.all(loaded.map((plugin) => host.load(plugin)))
    return host
  }
  beforeAll(async () => {
    writePlugin(folder.path, 'speaker', speaker)
    writePlugin(folder.path, 'serial', speaker, { max_concurrency: 1 })
    writePlugin(folder.path, 'ears', listener('heard'), { contract: 'stt' })
    writePlugin(folder.path, 'broken', ttsPlugin('async initialize() { throw new Error("no") }'))
    await Promise.all(names.map(async (name) => hosts.set(name, await start({}, plugins))))
  })
  afterAll(async () => {
    await Promise.all([...hosts.values()].map((host) => host.close({ force: true })))
    folder.remove()
  })
  return {
    dir: folder.path,
    /** One more host, which is the test's to close. */
    start,
    host(name: string): PluginHost {
      const host = hosts.get(name)
      if (!host) throw new Error(`There is no host ${name}`)
      return host
    },
    /** A cluster of these nodes, and its cable. */
    async join(nodes: readonly string[] = names, limits: Partial<CallerLimits> = {}) {
      const cable = new MemoryCable()
      for (const node of nodes) cable.join(node, this.host(node))
      return { cable, cluster: await Cluster.over(cable, limits) }
    },
  }
}

/** The process that answers a call. */
export async function pidOf(cluster: Cluster, plugin = 'speaker'): Promise<string> {
  const [voice] = (await cluster.call(plugin, 'get_voices')) as { id: string }[]
  return voice?.id ?? ''
}

/** Waits until a cluster has links to so many nodes for a plugin. */
export async function linked(cluster: Cluster, count: number, plugin = 'speaker'): Promise<void> {
  await expect
    .poll(async () => Reflect.get(Object((await cluster.health(plugin)).details), 'nodes'))
    .toHaveLength(count)
}
