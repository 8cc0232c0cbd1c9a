import { Bytes } from '@appfactory/sdk/internal'
import { expect, test } from 'vitest'
import { Tape } from '../../src/fallback/tape.js'

async function* items(count: number, item: unknown = 'item'): AsyncGenerator<unknown> {
  for (let index = 0; index < count; index++) yield typeof item === 'string' ? `${item} ${index}` : item
}

async function all(readable: AsyncIterable<unknown>): Promise<unknown[]> {
  const read: unknown[] = []
  for await (const item of readable) read.push(item)
  return read
}

test('each reader gets all items, and the source is read once', async () => {
  const tape = new Tape(items(3))
  const whole = ['item 0', 'item 1', 'item 2']
  expect(await all(tape.items())).toEqual(whole)
  expect(await all(tape.items())).toEqual(whole)
  expect(tape.isWhole).toBe(true)
})

test('an item that a reader asked for, and left, is not lost', async () => {
  const give: ((item: string) => void)[] = []
  const source: AsyncIterable<unknown> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise((resolve) => give.push((value) => resolve({ value, done: false }))),
    }),
  }
  const tape = new Tape(source)
  const left = tape.items()[Symbol.asyncIterator]()
  const first = left.next()
  await left.return?.()
  const next = tape.items()[Symbol.asyncIterator]().next()
  give[0]?.('only')
  expect([await first, await next]).toEqual([
    { value: 'only', done: false },
    { value: 'only', done: false },
  ])
  expect(give).toHaveLength(1)
})

test('nothing is kept once nobody will read it from its beginning', async () => {
  const tape = new Tape(items(3))
  const reader = tape.items()[Symbol.asyncIterator]()
  await reader.next()
  tape.letGo()
  expect(await all({ [Symbol.asyncIterator]: () => reader })).toEqual(['item 1', 'item 2'])
  expect(tape.isWhole).toBe(false)
})

test('what is too much is not kept', async () => {
  const tape = new Tape(items(9, new Bytes(new Uint8Array(1024 * 1024))))
  expect(await all(tape.items())).toHaveLength(9)
  expect(tape.isWhole).toBe(false)
})

test('a source that fails, fails for each reader', async () => {
  const tape = new Tape(
    (async function* () {
      yield 1
      throw new Error('broken')
    })(),
  )
  await expect(all(tape.items())).rejects.toThrow('broken')
  await expect(all(tape.items())).rejects.toThrow('broken')
  expect(tape.hasFailed).toBe(true)
})

test('the source is told when nobody reads on', async () => {
  let isClosed = false
  const tape = new Tape(
    (async function* () {
      try {
        yield 1
      } finally {
        isClosed = true
      }
    })(),
  )
  await tape.items()[Symbol.asyncIterator]().next()
  await tape.close()
  expect(isClosed).toBe(true)
})
