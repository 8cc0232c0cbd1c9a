import { availableParallelism } from 'node:os'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

const most = Math.max(4, 2 * availableParallelism())
let ends: (() => void)[] = []
let startTurn: typeof import('../../src/instance/start-turns.js').startTurn

// Each test counts from nothing.
beforeEach(async () => {
  ends = []
  vi.resetModules()
  ;({ startTurn } = await import('../../src/instance/start-turns.js'))
  vi.useFakeTimers()
})
afterEach(() => void vi.useRealTimers())

async function takeAll(): Promise<void> {
  for (let turn = 0; turn < most; turn++) ends.push(await startTurn(undefined))
}

/** The names of those that have got their turn, in order. */
function queue() {
  const came: string[] = []
  const wait = (name: string, signal?: AbortSignal): Promise<void> =>
    startTurn(signal).then((end) => {
      came.push(name)
      ends.push(end)
    })
  return { came, wait }
}

async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0)
}

test('no more processes start at once than may; each that has started lets the next one begin', async () => {
  await takeAll()
  const { came, wait } = queue()
  void wait('first')
  void wait('second')
  await settle()
  expect(came).toEqual([])
  ends[0]?.()
  // A turn that is over is over once.
  ends[0]?.()
  await settle()
  expect(came).toEqual(['first'])
  ends[1]?.()
  await settle()
  expect(came).toEqual(['first', 'second'])
})

test('a start that hangs loses its turn after two seconds', async () => {
  await takeAll()
  const { came, wait } = queue()
  void wait('next')
  await vi.advanceTimersByTimeAsync(1999)
  expect(came).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  expect(came).toEqual(['next'])
})

test('a turn that was ended in time does not end a second time later', async () => {
  await takeAll()
  for (const end of ends.splice(0)) end()
  await takeAll()
  const { came, wait } = queue()
  await vi.advanceTimersByTimeAsync(1000)
  void wait('next')
  await vi.advanceTimersByTimeAsync(999)
  expect(came).toEqual([])
})

test('who leaves the queue is passed over, and takes nobody’s turn along', async () => {
  await takeAll()
  const { came, wait } = queue()
  const leaving = new AbortController()
  void wait('first')
  const left = expect(wait('leaving', leaving.signal)).rejects.toThrow('enough')
  void wait('last')
  leaving.abort(new Error('enough'))
  await left
  ends[0]?.()
  ends[1]?.()
  await settle()
  expect(came).toEqual(['first', 'last'])
})

test('a signal that was aborted before waits for nothing; one that is aborted after its turn came changes nothing', async () => {
  await expect(startTurn(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
  await takeAll()
  const { came, wait } = queue()
  const late = new AbortController()
  void wait('mine', late.signal)
  void wait('next')
  ends[0]?.()
  await settle()
  late.abort()
  ends[1]?.()
  await settle()
  expect(came).toEqual(['mine', 'next'])
})
