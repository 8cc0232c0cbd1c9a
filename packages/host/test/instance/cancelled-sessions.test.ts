import type { STTContract } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { temporaryFolder, writePlugin } from '../fixtures/plugins.js'

const ears = `
import { STTContract } from '@appfactory/sdk'
export default class Ears extends STTContract {
  open = new Set()
  async initialize() {}
  async shutdown() {}
  async healthCheck() { return { status: this.status } }
  async transcribe() { return '' }
  async getLanguages() { return [...this.open].map((code) => ({ code, name: code })) }
  async startStream({ signal }) {
    const id = String(this.open.size)
    this.open.add(id)
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    return id
  }
  async feedAudio() { return null }
  async endStream(id) { this.open.delete(id); return '' }
}
`

test('a session whose opening is cancelled does not stay open in the plugin', async () => {
  const root = temporaryFolder()
  writePlugin(root, 'ears', ears, { contract: 'stt' })
  await using host = new PluginHost({ pluginsDir: root })
  const stt = await host.load<STTContract>('ears')
  const caller = new AbortController()
  const opening = stt.startStream({ signal: caller.signal })
  await expect.poll(() => stt.getLanguages()).toHaveLength(1)
  caller.abort()
  await expect(opening).rejects.toMatchObject({ codeName: 'REQUEST_CANCELLED' })
  await expect.poll(() => stt.getLanguages()).toEqual([])
})
