import { pluginTarget } from '@appfactory/host/testing'
import { type CheckReport, runChecks } from '@appfactory/sdk/testing'
import { expect, test } from 'vitest'
import { isAlive, temporaryFolder, ttsPlugin, writePlugin } from './fixtures/plugins.js'

const streaming = `
  async *synthesizeStream(text, voiceId, options) { yield* super.synthesizeStream(text, voiceId, options) }
  async getVoiceInfo(id) { return super.getVoiceInfo(id) }
  count = 7
  captureState() { return { count: this.count, last: new Uint8Array([1, 2]) } }
  restoreState({ count }) { this.count = count }
`

function check(members: string, only?: string[]): Promise<CheckReport> {
  const dir = writePlugin(temporaryFolder(), 'speaker', ttsPlugin(members))
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

test.each([
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
  ['health.ready', 'async healthCheck() { return { status: "ERROR" } }'],
  ['lifecycle.initialize', 'async initialize() { return false }'],
  ['lifecycle.load', 'constructor() { super(); throw new Error("no") }'],
  [
    'lifecycle.shutdown',
    'async synthesize(t) { this.used = true; return super.synthesize(t) } async shutdown() { if (this.used) throw new Error("busy") }',
  ],
])('a mutant in a process of its own fails exactly %s', async (id, members) => {
  expect(failuresOf(await check(members))).toEqual([id])
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
  expect(pids.filter(isAlive)).toHaveLength(1)
  interrupt.abort()
  await expect.poll(() => pids.filter(isAlive)).toEqual([])
  expect(pids).toHaveLength(3)
})
