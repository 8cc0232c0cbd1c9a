import { pluginTarget } from '@appfactory/host/testing'
import { type CheckReport, runChecks } from '@appfactory/sdk/testing'
import { expect, test } from 'vitest'
import { writePlainPlugin } from './fixtures/plain-plugin.js'
import { isAlive, temporaryFolder, ttsPlugin, writePlugin } from './fixtures/plugins.js'

const streaming = `
  async *synthesizeStream(text, voiceId, options) { yield* super.synthesizeStream(text, voiceId, options) }
  async getVoiceInfo(id) { return super.getVoiceInfo(id) }
  count = 7
  captureState() { return { count: this.count, last: new Uint8Array([1, 2]) } }
  restoreState({ count }) { this.count = count }
`

function check(members: string, only?: string[], manifest?: Record<string, unknown>): Promise<CheckReport> {
  const dir = writePlugin(temporaryFolder(), 'speaker', ttsPlugin(members), manifest)
  return runChecks({ target: pluginTarget(dir), timeoutMs: 3000, ...(only ? { only } : {}) })
}

function failuresOf({ results }: CheckReport): string[] {
  return results.filter(({ status }) => status === 'failed').map(({ id }) => id)
}

test('a good plugin in a process of its own passes all checks', async () => {
  const report = await check(streaming)
  expect(failuresOf(report)).toEqual([])
  expect(report).toMatchObject({ plugin: 'speaker', contract: 'tts', blocked: 0, skipped: 0 })
})

// Those that only look at what is answered are in the SDK's own tests: packages/sdk/test/testing/mutants.ts.
test.each<[string, string]>([
  ['tts.synthesize.result', 'async synthesize() { return 42 }'],
  [
    'tts.synthesize.cancel',
    'async synthesize(text) { if (text.length > 200) await new Promise((r) => setTimeout(r, 1500)); return super.synthesize(text) }',
  ],
  [
    'tts.synthesize.voice',
    'async synthesize(text, voice) { if (voice === "no-such-voice") process.exit(1); return super.synthesize(text) }',
  ],
  ['state.round_trip', 'captureState() { return { pid: process.pid } } restoreState() {}'],
  ['lifecycle.initialize', 'async initialize() { return false }'],
  ['lifecycle.load', 'constructor() { super(); throw new Error("no") }'],
  [
    'lifecycle.shutdown',
    'async synthesize(t) { this.used = true; return super.synthesize(t) } async shutdown() { if (this.used) throw new Error("busy") }',
  ],
  [
    'tts.synthesize.concurrent',
    'async synthesize(text) { this.text = text; await new Promise((r) => setTimeout(r, 5)); return super.synthesize(this.text) }',
  ],
  ['tts.synthesize.errors', 'async synthesize(text) { return super.synthesize(text || null.length) }'],
  [
    'health.during_calls',
    `async synthesize(t) { await new Promise((r) => setTimeout(r, t.length > 200 ? 60 : 0)); return super.synthesize(t) }
     async healthCheck() { if (this.status === "BUSY") throw new Error("busy"); return super.healthCheck() }`,
  ],
  [
    'lifecycle.shutdown_unused',
    'async synthesize(t) { this.used = true; return super.synthesize(t) } async shutdown() { if (!this.used) throw new Error("no engine") }',
  ],
])('a mutant in a process of its own fails exactly %s', async (id, members) => {
  expect(failuresOf(await check(members))).toEqual([id])
})

test('a plugin that blocks its event loop is told so', async () => {
  const report = await check(
    `
    async synthesize(text) {
      for (const end = performance.now() + (text.length > 200 ? 1500 : 0); performance.now() < end; );
      return super.synthesize(text)
    }`,
    ['tts.synthesize.*', 'health.*'],
  )
  expect(failuresOf(report)).toEqual(['tts.synthesize.cancel', 'health.during_calls'])
  const reasons = report.results.flatMap(({ status, reason }) => (status === 'failed' ? [reason] : []))
  for (const reason of reasons) expect(reason).toMatch(/blocks the event loop/)
})

test('a manifest must not promise what the plugin has not', async () => {
  const report = await check('', undefined, { capabilities: ['streaming', 'speed'] })
  expect(failuresOf(report)).toEqual(['manifest.capabilities'])
})

// The SDK refuses bad calls before an author's class sees them; a plugin in another language must do it by itself.
test('a plugin without the SDK that refuses what it should passes all checks', async () => {
  const dir = await writePlainPlugin(temporaryFolder())
  const report = await runChecks({ target: pluginTarget(dir), timeoutMs: 3000 })
  expect(report.results.filter(({ status }) => status === 'failed')).toEqual([])
  expect(report.passed).toBeGreaterThan(20)
})

test.each([
  ['errors.unknown_method', 'no_such_method'],
  ['tts.synthesize.arguments', 'synthesize'],
  ['tts.get_voices.arguments', 'get_voices'],
  ['tts.get_voice_info.arguments', 'get_voice_info'],
])('a plugin without the SDK that takes anything fails exactly %s', async (id, method) => {
  const dir = await writePlainPlugin(temporaryFolder(), [method])
  expect(failuresOf(await runChecks({ target: pluginTarget(dir), timeoutMs: 3000 }))).toEqual([id])
})

test('a plugin that is not there, or not valid, fails to load', async () => {
  const root = temporaryFolder()
  const broken = writePlugin(root, 'broken', ttsPlugin(), { version: 'x' })
  for (const dir of [`${root}/nothing`, broken]) {
    const report = await runChecks({ target: pluginTarget(dir) })
    expect(failuresOf(report)).toEqual(['lifecycle.load'])
    expect(report.passed).toBe(0)
  }
})

test('nothing is left running, not even of what was interrupted', async () => {
  const pids: number[] = []
  const dir = writePlugin(
    temporaryFolder(),
    'speaker',
    ttsPlugin('async initialize() { console.warn(String(process.pid)) }'),
  )
  const interrupt = new AbortController()
  const target = pluginTarget(dir, {
    signal: interrupt.signal,
    onLog: ({ message }) => pids.push(Number(message)),
  })
  await runChecks({ target, only: ['lifecycle.restart'] })
  await target.start({})
  // What a plugin logs may come after its first answer.
  await expect.poll(() => pids).toHaveLength(3)
  expect(pids.filter(isAlive)).toHaveLength(1)
  interrupt.abort()
  await expect.poll(() => pids.filter(isAlive)).toEqual([])
})
