import { setImmediate as turn } from 'node:timers/promises'
import { PluginError } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { PieceStream, type PieceStreamOptions } from '../../src/instance/pieces.js'

/** A stream of these pieces, and what has become of it. */
function streamOf(pieces: readonly unknown[], options: Partial<PieceStreamOptions<unknown>> = {}) {
  const seen = { opened: 0, ended: 0, closed: 0 }
  const outcomes: string[] = []
  async function* source(): AsyncGenerator<unknown> {
    try {
      yield* pieces
    } finally {
      seen.closed += 1
    }
  }
  const stream = new PieceStream({
    open: () => {
      seen.opened += 1
      return source()
    },
    onEnd: (outcome) => {
      seen.ended += 1
      outcomes.push(outcome)
    },
    ...options,
  })
  return { stream, seen, outcomes }
}

test('a stream begins when it is first read, and ends once', async () => {
  const { stream, seen } = streamOf(['a', 'b'])
  await turn()
  expect(seen).toEqual({ opened: 0, ended: 0, closed: 0 })
  expect(await stream.next()).toEqual({ value: 'a', done: false })
  expect(seen).toEqual({ opened: 1, ended: 0, closed: 0 })
  expect(await stream.next()).toEqual({ value: 'b', done: false })
  for (let times = 0; times < 3; times++)
    expect(await stream.next()).toEqual({ value: undefined, done: true })
  expect(await stream.return()).toEqual({ value: undefined, done: true })
  expect(seen).toEqual({ opened: 1, ended: 1, closed: 1 })
})

test('what the source returns at its end does not get to the reader', async () => {
  const { stream } = streamOf([], { open: () => ({ next: async () => ({ value: 'secret', done: true }) }) })
  expect(await stream.next()).toEqual({ value: undefined, done: true })
})

test('each piece is made into what the reader gets', async () => {
  const { stream } = streamOf([1, 2, 3], { map: (piece) => Number(piece) * 2 })
  const doubled: unknown[] = []
  for await (const piece of stream) doubled.push(piece)
  expect(doubled).toEqual([2, 4, 6])
})

test('a reader that leaves closes the source before its loop is over', async () => {
  const { stream, seen } = streamOf(['a', 'b', 'c'])
  for await (const piece of stream) if (piece === 'a') break
  expect(seen).toEqual({ opened: 1, ended: 1, closed: 1 })
  expect(await stream.next()).toEqual({ value: undefined, done: true })
  expect(seen.opened).toBe(1)
})

test('one that leaves while the stream is being opened closes what is opened then', async () => {
  let closed = 0
  let open: (source: AsyncIterator<unknown>) => void = () => {}
  const opening = new Promise<AsyncIterator<unknown>>((resolve) => {
    open = resolve
  })
  const { stream, seen } = streamOf([], { open: () => opening })
  void stream.next()
  const left = stream.return()
  open({
    next: async () => ({ value: 1, done: false }),
    return: async () => {
      closed += 1
      return { value: undefined, done: true }
    },
  })
  await left
  expect([closed, seen.ended]).toEqual([1, 1])
})

test('one that was never begun ends without a word', async () => {
  const { stream, seen } = streamOf(['a'])
  expect(await stream.return()).toEqual({ value: undefined, done: true })
  expect(await stream.next()).toEqual({ value: undefined, done: true })
  expect(seen).toEqual({ opened: 0, ended: 0, closed: 0 })
})

test('a source that can’t be closed may be left', async () => {
  const { stream, seen } = streamOf([], { open: () => ({ next: async () => ({ value: 1, done: false }) }) })
  await stream.next()
  expect(await stream.return()).toEqual({ value: undefined, done: true })
  expect(seen.ended).toBe(1)
})

test('a failure reaches the reader once, and ends the stream', async () => {
  const failure = new Error('the engine is on fire')
  const { stream, seen } = streamOf([], { open: () => ({ next: () => Promise.reject(failure) }) })
  await expect(stream.next()).rejects.toBe(failure)
  expect(await stream.next()).toEqual({ value: undefined, done: true })
  expect(seen.ended).toBe(1)
})

test('one that can’t be opened fails, was never begun, and is not opened again', async () => {
  let opened = 0
  const { stream, seen } = streamOf([], {
    open: () => {
      opened += 1
      throw new Error('too many')
    },
  })
  await expect(stream.next()).rejects.toThrow('too many')
  expect(await stream.next()).toEqual({ value: undefined, done: true })
  expect([opened, seen.ended]).toEqual([1, 0])
})

test('how a stream ended is told: read to its end, left, cancelled, or failed', async () => {
  const failing = (error: Error) => ({ open: () => ({ next: () => Promise.reject(error) }) })
  const read = streamOf(['a'])
  for await (const _piece of read.stream);
  const left = streamOf(['a', 'b'])
  for await (const _piece of left.stream) break
  const cancelled = streamOf([], failing(new PluginError('REQUEST_CANCELLED')))
  await cancelled.stream.next().catch(() => {})
  const failed = streamOf([], failing(new Error('the engine is on fire')))
  await failed.stream.next().catch(() => {})
  const streams = [read, left, cancelled, failed]
  expect(streams.map(({ outcomes }) => outcomes)).toEqual([
    ...[['answered'], ['cancelled'], ['cancelled'], ['failed']],
  ])
})

test('it needs neither to be told of its end nor to change its pieces', async () => {
  const source = streamOf(['a']).stream
  const stream = new PieceStream({ open: () => source })
  expect(await stream.next()).toEqual({ value: 'a', done: false })
  expect(await stream.next()).toEqual({ value: undefined, done: true })
})
