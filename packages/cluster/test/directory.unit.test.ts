import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import type { Beat, BeatPlugin } from '../src/beat.js'
import { Directory, pluginOn } from '../src/directory.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

let sequence = 0

function beat(node: string, told: Partial<Beat> = {}): Beat {
  sequence += 1
  return {
    ...{ node, boot: `${node}-1`, sequence, labels: {}, draining: false, leaving: false },
    ...{ protocolVersions: [1], plugins: [] },
    ...told,
  }
}

function plugin(name: string, loadedMs: number, contract = 'tts'): BeatPlugin {
  return {
    ...{ name, version: '1.0.0', contract, contractVersion: '1.0.0', generation: 0 },
    ...{ status: 'READY', inFlight: 0, queued: 0, capacity: 1, replicas: 1, loadedMs },
  }
}

function directoryOf(hasMoved: (node: string) => boolean = () => false) {
  const events: string[] = []
  const warnings: string[] = []
  const updates: string[] = []
  const directory = new Directory({
    ...{ beatMs: 1000, missedBeats: 3 },
    hasMoved: ({ node }) => hasMoved(node),
    onChange: ({ boot, change }) => events.push(`${boot} ${change}`),
    onUpdate: ({ boot }, isSilent) => updates.push(`${boot}${isSilent ? ' silent' : ''}`),
    warn: (message) => warnings.push(message),
  })
  onTestFinished(() => directory.close())
  return { directory, events, warnings, updates, names: () => directory.nodes.map(({ node }) => node) }
}

test('a node joins with its first beat, drains, and leaves when it says so', () => {
  const { directory, events, names } = directoryOf()
  directory.take(beat('a'))
  directory.take(beat('a'))
  directory.take(beat('a', { draining: true }))
  directory.take(beat('a', { draining: true }))
  expect(names()).toEqual(['a'])
  directory.take(beat('a', { leaving: true }))
  expect([names(), events]).toEqual([[], ['a-1 joined', 'a-1 draining', 'a-1 left']])
})

test('a node is lost after three beats that did not come, and joins again with the next one', () => {
  const { directory, events, updates, names } = directoryOf()
  directory.take(beat('a'))
  vi.advanceTimersByTime(2900)
  expect(names()).toEqual(['a'])
  directory.take(beat('a'))
  vi.advanceTimersByTime(2900)
  expect(names()).toEqual(['a'])
  vi.advanceTimersByTime(1000)
  expect([names(), updates.at(-1)]).toEqual([[], 'a-1 silent'])
  directory.take(beat('a'))
  expect(events).toEqual(['a-1 joined', 'a-1 lost', 'a-1 joined'])
})

test('a node whose link has broken is lost unless its next beat comes', () => {
  const { directory, names } = directoryOf()
  for (const node of ['a', 'b']) directory.take(beat(node))
  vi.advanceTimersByTime(500)
  for (const node of ['a', 'b']) directory.doubt({ node, boot: `${node}-1` })
  directory.take(beat('b'))
  vi.advanceTimersByTime(1000)
  expect(names()).toEqual(['b'])
})

test('whatever comes from a node is a sign of life', () => {
  let moves = true
  const { directory, names } = directoryOf(() => moves)
  directory.take(beat('a'))
  vi.advanceTimersByTime(10_000)
  expect(names()).toEqual(['a'])
  moves = false
  vi.advanceTimersByTime(3500)
  expect(names()).toEqual([])
})

test('silence says nothing while this end is cut off, or has done nothing but compute', () => {
  const { directory, names } = directoryOf()
  directory.take(beat('a'))
  directory.connection(false)
  vi.advanceTimersByTime(60_000)
  directory.connection(true)
  vi.advanceTimersByTime(2000)
  expect(names()).toEqual(['a'])
  directory.take(beat('a'))
  // The timer is late by ten seconds.
  const now = performance.now()
  vi.spyOn(performance, 'now').mockImplementation(() => now + 10_000)
  vi.advanceTimersByTime(500)
  expect(names()).toEqual(['a'])
})

test('beats that come late or twice say nothing', () => {
  const { directory, names } = directoryOf()
  const [late, last] = [beat('a', { draining: true }), beat('a')]
  directory.take(last)
  directory.take(late)
  expect(directory.nodes).toEqual([last])
  directory.take({ ...last, leaving: true })
  expect(names()).toEqual(['a'])
})

test('a node that was started again takes the place of the one before', () => {
  const { directory, events, warnings, names } = directoryOf()
  directory.take(beat('a'))
  directory.take(beat('a', { boot: 'a-2' }))
  expect([names(), events, warnings]).toEqual([['a'], ['a-1 joined', 'a-1 lost', 'a-2 joined'], []])
})

test('two nodes with one name are both there, and reported once', () => {
  const { directory, warnings, names } = directoryOf()
  for (let round = 0; round < 3; round++)
    for (const boot of ['a-1', 'a-2']) directory.take(beat('a', { boot }))
  expect([names(), warnings.length]).toEqual([['a', 'a'], 1])
  expect(warnings[0]).toContain('Two nodes are called a')
})

test('a node with another protocol version is left out, with one warning', () => {
  const { directory, events, warnings, names } = directoryOf()
  for (let round = 0; round < 3; round++) directory.take(beat('old', { protocolVersions: [99] }))
  expect([names(), events, warnings.length]).toEqual([[], [], 1])
  expect(directory.get({ node: 'old', boot: 'old-1' })).toBeUndefined()
  vi.advanceTimersByTime(5000)
  expect(events).toEqual([])
})

test('a plugin is found by a name that it had before a swap', () => {
  const told = beat('a', { plugins: [{ ...plugin('new', 0), formerNames: ['old'] }] })
  expect(pluginOn(told, 'old')?.name).toBe('new')
  expect(pluginOn(told, 'other')).toBeUndefined()
})

test('what was loaded last is known whatever the clocks of nodes say', () => {
  const { directory } = directoryOf()
  const tell = (node: string, ...plugins: BeatPlugin[]): void => directory.take(beat(node, { plugins }))
  vi.advanceTimersByTime(60_000)
  tell('a', plugin('older', 50_000), plugin('ears', 0, 'stt'))
  vi.advanceTimersByTime(1000)
  tell('b', plugin('newer', 40_000))
  expect([directory.lastLoaded('tts'), directory.lastLoaded('stt')]).toEqual(['newer', 'ears'])
  expect(directory.lastLoaded('llm')).toBeUndefined()
  const at = directory.loadedAt({ node: 'a', boot: 'a-1' }, 'older')
  // A beat that was late on its way changes nothing: it seems to tell of a shorter life.
  vi.advanceTimersByTime(500)
  tell('a', plugin('older', 50_001))
  vi.advanceTimersByTime(500)
  tell('b', plugin('newer', 41_000))
  expect(directory.lastLoaded('tts')).toBe('newer')
  expect(directory.loadedAt({ node: 'a', boot: 'a-1' }, 'older')).toBe(at)
  // Loaded again.
  tell('a', plugin('older', 10))
  expect(directory.loadedAt({ node: 'a', boot: 'a-1' }, 'older')).not.toBe(at)
  expect(directory.lastLoaded('tts')).toBe('older')
})
