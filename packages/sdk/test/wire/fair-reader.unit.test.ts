import { PassThrough } from 'node:stream'
import { expect, test, vi } from 'vitest'
import { FairReader, type Worth } from '../../src/wire/fair-reader.js'

function spend(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

/** Reads 200 parts that cost half a millisecond each. Returns how many were taken, and how often their reader rested. */
async function read(worth: Worth): Promise<{ taken: number; rests: number }> {
  const stream = new PassThrough()
  let taken = 0
  // What is left in the stream comes when other tests run, with a clock that stands still.
  let isOver = false
  const reader = new FairReader(stream, {
    take: () => {
      if (isOver) return
      taken += 1
      spend(0.5)
    },
    worth: () => worth,
  })
  const timer = vi.spyOn(globalThis, 'setTimeout')
  for (let part = 0; part < 200; part++) {
    stream.write('x')
    await new Promise(setImmediate)
  }
  const rests = timer.mock.calls.length
  timer.mockRestore()
  await reader.caughtUp()
  await expect.poll(() => taken).toBeGreaterThan(0)
  isOver = true
  stream.destroy()
  return { taken, rests }
}

test('a stream whose parts are asked for or kept is read on, and one whose parts are dropped rests', async () => {
  expect((await read('asked')).rests).toBe(0)
  expect((await read('kept')).rests).toBe(0)
  expect((await read('dropped')).rests).toBeGreaterThan(0)
})

test('a stream that fails loses what it has brought and was put off', async () => {
  const stream = new PassThrough()
  let taken = ''
  const reader = new FairReader(stream, {
    take: (part) => {
      taken += part
      spend(0.5)
    },
    worth: () => 'kept',
  })
  await new Promise(setImmediate)
  for (const part of 'abcdefgh') stream.write(part)
  expect(stream.readableLength).toBeGreaterThan(0)
  stream.destroy(new Error('reset by the other end'))
  await new Promise((resolve) => stream.once('close', resolve))
  await reader.caughtUp()
  expect(taken).toBe('abcdefgh')
})
