import { once } from 'node:events'
import type { TTSContract } from '@appfactory/sdk'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type LogEvent, PluginHost } from '../../src/index.js'
import { isAlive, makeFolder, ttsPlugin, writePlugin } from '../fixtures/plugins.js'
import { writePythonPlugin } from '../fixtures/python-plugin.js'
import { findTestPython } from '../python-for-tests.js'

const worker = ttsPlugin(`
  async getVoices() { return [{ id: String(process.pid), name: 'pid', language: 'en' }] }
  async synthesize(text) {
    if (text === 'loop') for (;;);
    if (text === 'tell') console.error('here')
    if (text === 'wait') await new Promise((resolve) => setTimeout(resolve, 60_000))
    return super.synthesize(text)
  }
  async *synthesizeStream() {
    for (let piece = 0; piece < 3; piece++)
      yield { audio: new Uint8Array(2), format: 'pcm_s16le', sampleRate: 16000, channels: 1, metadata: { pid: process.pid } }
  }
`)

const python = `
import os
from contracts.tts_contract import TTSContract, Voice
class Plugin(TTSContract):
    async def initialize(self, config): return True
    async def shutdown(self): return True
    def health_check(self): return {'status': 'READY'}
    def synthesize(self, text, voice=None, options=None): raise NotImplementedError
    def get_voices(self): return [Voice(id=str(os.getpid()), name="pid", language="en")]
`

const pythonPath = findTestPython()
const folder = makeFolder()
let host: PluginHost

beforeAll(async () => {
  writePlugin(folder.path, 'worker', worker)
  writePlugin(folder.path, 'single', worker, { max_concurrency: 1 })
  host = new PluginHost({
    ...{ pluginsDir: folder.path, unresponsiveTimeoutMs: 700 },
    ...(pythonPath === undefined ? {} : { pythonPath }),
    restart: { firstDelayMs: 1, maxCrashes: 100 },
  })
  await Promise.all([host.load('worker', { replicas: 4 }), host.load('single', { replicas: 2 })])
})

afterAll(async () => {
  await host.close({ force: true })
  folder.remove()
})

async function pidOf(plugin = 'worker'): Promise<number> {
  const [voice] = await (await host.get<TTSContract>(plugin)).getVoices()
  return Number(voice?.id)
}

interface Place {
  place: number
  status: string
  pid: number
  calls_in_flight: number
}

async function placesOf(plugin = 'worker'): Promise<Place[]> {
  const { details } = await host.health(plugin)
  return (details?.['places'] ?? []) as Place[]
}

/** The place that works on the one call in flight. */
async function busyPlace(): Promise<Place> {
  let found: Place | undefined
  await expect
    .poll(async () => {
      found = (await placesOf()).find(({ calls_in_flight }) => calls_in_flight > 0)
      return found
    })
    .toBeDefined()
  if (!found) throw new Error('No place is busy')
  return found
}

/** Resolves when that place has become READY. */
async function readyAgain(place: number): Promise<void> {
  for (;;) {
    const [event] = await once(host, 'status')
    if (event.plugin === 'worker' && event.place === place && event.status === 'READY') return
  }
}

test('each replica is a process of its own, and shows in health, list, status and metrics', async () => {
  const pids = new Set<number>()
  for (let call = 0; call < 4; call++) pids.add(await pidOf())
  expect(pids.size).toBe(4)
  const places = await placesOf()
  expect(places.map(({ place, status }) => [place, status])).toEqual(
    [1, 2, 3, 4].map((place) => [place, 'READY']),
  )
  expect(new Set(places.map(({ pid }) => pid))).toEqual(pids)
  const listed = (await host.list()).map(({ name, replicas }) => [name, replicas])
  expect(Object.fromEntries(listed)).toEqual({ worker: 4, single: 2 })
  expect(host.metrics()).toContain('appfactory_place_up{plugin="worker",place="4"} 1')
})

test('a place that is killed fails its own calls; the others serve, and it comes back', async () => {
  const doomed = host.call('worker', 'synthesize', { text: 'wait' })
  const failed = doomed.catch((error: unknown) => error)
  const { place, pid } = await busyPlace()
  const crashed = once(host, 'crash')
  const back = readyAgain(place)
  process.kill(pid, 'SIGKILL')
  expect(await failed).toMatchObject({ codeName: 'PLUGIN_CRASHED', data: { plugin: 'worker', place } })
  expect(await crashed).toMatchObject([{ plugin: 'worker', place }])
  const others = await Promise.all(Array.from({ length: 12 }, () => pidOf()))
  expect(others).not.toContain(pid)
  await back
  expect((await host.health('worker')).message).toBe('4 of 4 places are ready')
})

test('a line of a plugin’s log says which place it is of', async () => {
  const places: unknown[] = []
  const listen = ({ message, place }: LogEvent): void => {
    if (message === 'here') places.push(place)
  }
  host.on('log', listen)
  await Promise.all(Array.from({ length: 4 }, () => host.call('worker', 'synthesize', { text: 'tell' })))
  await expect.poll(() => places.sort()).toEqual([1, 2, 3, 4])
  host.off('log', listen)
})

test('a call that may be made twice goes to another place where its own is killed', async () => {
  const calls = Array.from({ length: 40 }, () => host.call('worker', 'get_voices', {}, { retry: 3 }))
  for (const { pid } of (await placesOf()).slice(0, 2)) process.kill(pid, 'SIGKILL')
  const more = Array.from({ length: 40 }, () => host.call('worker', 'get_voices', {}, { retry: 3 }))
  expect((await Promise.all([...calls, ...more])).length).toBe(80)
  await expect.poll(async () => (await host.health('worker')).message).toBe('4 of 4 places are ready')
})

test('a place whose event loop stands still is killed and started again; the others serve meanwhile', async () => {
  const hung = host.call('worker', 'synthesize', { text: 'loop' })
  let isOver = false
  const end = (): void => {
    isOver = true
  }
  const failed = expect(hung.finally(end)).rejects.toMatchObject({
    codeName: 'PLUGIN_CRASHED',
  })
  // More than one turn: none of these goes to the place that has something to do.
  for (let call = 0; call < 8; call++) await pidOf()
  expect(isOver).toBe(false)
  await failed
  await expect.poll(async () => (await host.health('worker')).message).toBe('4 of 4 places are ready')
})

test('a swap of all places under load loses no call and answers none twice', async () => {
  const before = new Set((await placesOf()).map(({ pid }) => pid))
  let isSwapping = true
  let answers = 0
  const callers = Array.from({ length: 16 }, async () => {
    while (isSwapping) {
      await pidOf()
      answers += 1
    }
  })
  await host.swap('worker', 'worker')
  isSwapping = false
  await Promise.all(callers)
  expect(answers).toBeGreaterThan(0)
  const after = (await placesOf()).map(({ pid }) => pid)
  expect([after.length, after.filter((pid) => before.has(pid))]).toEqual([4, []])
  await expect.poll(() => [...before].filter(isAlive)).toEqual([])
})

test('places come and go under load, and no call is lost', async () => {
  let isScaling = true
  const callers = Array.from({ length: 8 }, async () => {
    while (isScaling) {
      await pidOf()
      for await (const _ of host.stream('worker', 'synthesize_stream', { text: 'all' }));
    }
  })
  const before = (await placesOf()).map(({ pid }) => pid)
  await host.scale('worker', 1)
  await expect.poll(() => before.filter(isAlive)).toEqual(before.slice(0, 1))
  await host.scale('worker', 3)
  isScaling = false
  await Promise.all(callers)
  expect((await placesOf()).map(({ place }) => place)).toEqual([1, 2, 3])
  await host.scale('worker', 4)
})

test('a plugin that takes one call at a time gets no second one; the caller’s queue holds it', async () => {
  const leaving = new AbortController()
  const long = Array.from({ length: 3 }, () =>
    host.call('single', 'synthesize', { text: 'wait' }, { signal: leaving.signal }).catch(() => 'cancelled'),
  )
  expect(await host.health('single')).toMatchObject({ details: { queued_calls: 1 } })
  expect((await placesOf('single')).map(({ calls_in_flight }) => calls_in_flight)).toEqual([1, 1])
  leaving.abort()
  expect(await Promise.all(long)).toEqual(['cancelled', 'cancelled', 'cancelled'])
  expect(await pidOf('single')).toBeGreaterThan(0)
})

test.skipIf(pythonPath === undefined)('a plugin in Python has processes of its own too', async () => {
  writePythonPlugin(folder.path, 'snake', python)
  await host.load('snake', { replicas: 2 })
  const [one, two] = [await pidOf('snake'), await pidOf('snake')]
  expect(one).not.toBe(two)
  process.kill(one, 'SIGKILL')
  await once(host, 'crash')
  expect([await pidOf('snake'), await pidOf('snake')]).toEqual([two, two])
  await host.unload('snake')
})

test('wrong numbers are refused, and nothing is loaded', async () => {
  for (const replicas of [0, 65, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    await expect(host.load('worker', { replicas })).rejects.toThrow(TypeError)
    await expect(host.scale('worker', replicas)).rejects.toThrow('a whole number from 1 to 64')
  }
  await expect(host.scale('nobody', 2)).rejects.toMatchObject({ codeName: 'PLUGIN_NOT_FOUND' })
  await expect(host.captureState('worker')).rejects.toMatchObject({ codeName: 'HOTSWAP_FAILED' })
})

test('unloading ends every process', async () => {
  const pids = (await placesOf('single')).map(({ pid }) => pid)
  await host.unload('single')
  expect(pids.filter(isAlive)).toEqual([])
})
