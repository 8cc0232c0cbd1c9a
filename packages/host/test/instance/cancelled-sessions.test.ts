import { encodeWav, type STTContract } from '@appfactory/sdk'
import { expect, test, vi } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { temporaryFolder, writePlugin } from '../fixtures/plugins.js'
import { writePythonPlugin } from '../fixtures/python-plugin.js'
import { findTestPython } from '../python-for-tests.js'

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

const pythonEars = `
import time
from contracts.stt_contract import STTContract

class Ears(STTContract):
    said = []
    may_go = False
    async def initialize(self, config): return True
    async def shutdown(self): return True
    def health_check(self): return {"status": "READY"}
    async def transcribe(self, audio, language=None):
        self.may_go = True
        return ""
    async def get_languages(self): return list(self.said)
    def start_stream(self):
        self.said.append("begun")
        while not self.may_go: time.sleep(0.005)
        return "s1"
    def feed_audio(self, session_id, audio): return None
    def end_stream(self, session_id):
        self.said.append(session_id)
        return ""
`

const python = findTestPython()

test.skipIf(python === undefined)(
  'nor does it in a plugin in Python, whose thread knows of no cancel',
  async () => {
    vi.stubEnv('AF_PYTHON', python ?? '')
    const root = temporaryFolder()
    writePythonPlugin(root, 'ears', pythonEars, { contract: 'stt' })
    await using host = new PluginHost({ pluginsDir: root })
    const stt = await host.load<STTContract>('ears')
    const said = async (): Promise<string[]> => (await stt.getLanguages()).map(({ code }) => code)
    const caller = new AbortController()
    const opening = stt.startStream({ signal: caller.signal })
    await expect.poll(said).toEqual(['begun'])
    caller.abort()
    await stt.transcribe(encodeWav(new Int16Array(8), { sampleRate: 8000 }))
    await expect(opening).rejects.toMatchObject({ codeName: 'REQUEST_CANCELLED' })
    await expect.poll(said).toEqual(['begun', 's1'])
  },
)
