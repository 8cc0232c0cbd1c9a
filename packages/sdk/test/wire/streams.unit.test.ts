import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { creditOf, IncomingStream, OutgoingStream } from '../../src/wire/streams.js'

const failure = new Error('the reader has left')
const isOver = { value: undefined, done: true }

/** Whether it has settled once what can be done at once is done. */
async function hasSettled(work: Promise<unknown>): Promise<boolean> {
  let settled = false
  void work.then(
    () => {
      settled = true
    },
    () => {
      settled = true
    },
  )
  await turn()
  return settled
}

describe('a stream that is sent', () => {
  function sending(credit: number, write?: (sequence: number, value: unknown) => Promise<void> | undefined) {
    const sent: unknown[] = []
    const stream = new OutgoingStream(credit, (sequence, value) => {
      sent.push([sequence, value])
      return write?.(sequence, value)
    })
    return { stream, sent }
  }

  test('sends as many pieces as it has credit for, in order, and counts them', async () => {
    const { stream, sent } = sending(2)
    await stream.send('a')
    await stream.send('b')
    const third = stream.send('c')
    expect(await hasSettled(third)).toBe(false)
    expect([sent.length, stream.count]).toEqual([2, 2])
    stream.addCredit(1)
    await third
    expect(sent).toEqual([
      [0, 'a'],
      [1, 'b'],
      [2, 'c'],
    ])
    expect(stream.count).toBe(3)
    expect(await hasSettled(stream.send('d'))).toBe(false)
  })

  test('without any credit sends nothing until there is some', async () => {
    const { stream, sent } = sending(-1)
    const first = stream.send('a')
    stream.addCredit(1)
    expect(await hasSettled(first)).toBe(false)
    expect(sent).toEqual([])
    stream.addCredit(1)
    await first
    expect(sent).toEqual([[0, 'a']])
  })

  test('makes the next piece when the last one is written', async () => {
    let written = (): void => {}
    const { stream } = sending(5, () => new Promise((resolve) => (written = resolve)))
    const first = stream.send('a')
    expect(await hasSettled(first)).toBe(false)
    written()
    await first
  })

  test('that was cancelled sends nothing more, and a send that waits for credit fails', async () => {
    const { stream, sent } = sending(0)
    const waiting = expect(stream.send('a')).rejects.toBe(failure)
    stream.fail(failure)
    await waiting
    stream.fail(new Error('another'))
    stream.addCredit(5)
    await expect(stream.send('b')).rejects.toBe(failure)
    expect(sent).toEqual([])
  })

  test('that was cancelled does not wait for a reader that never catches up', async () => {
    const { stream } = sending(5, () => new Promise(() => {}))
    const sending1 = expect(stream.send('a')).rejects.toBe(failure)
    stream.fail(failure)
    await sending1
  })

  test('whose credit has ended may use up what there is', async () => {
    const { stream, sent } = sending(2)
    stream.endCredit(failure)
    await stream.send('a')
    await stream.send('b')
    await expect(stream.send('c')).rejects.toBe(failure)
    expect(sent).toHaveLength(2)
  })

  test('whose credit ends while a send waits for it fails', async () => {
    const { stream } = sending(0)
    const waiting = expect(stream.send('a')).rejects.toBe(failure)
    stream.endCredit(failure)
    await waiting
  })
})

describe('a stream that arrives', () => {
  function arriving(window = 4) {
    const told = { grants: [] as number[], taken: 0, stops: 0 }
    const stream = new IncomingStream(window, {
      grant: (pieces) => told.grants.push(pieces),
      taken: () => {
        told.taken += 1
      },
      stop: async () => {
        told.stops += 1
      },
    })
    return { stream, told }
  }

  test('has room for its window, and gives credit back in halves of it', async () => {
    const { stream, told } = arriving()
    expect(stream.room).toBe(4)
    for (const sequence of [0, 1, 2, 3]) expect(stream.push(sequence, sequence)).toBeUndefined()
    expect([stream.room, told.grants]).toEqual([0, []])
    expect(stream.push(4, 'x')).toContain('without credit')
    expect(await stream.next()).toEqual({ value: 0, done: false })
    expect([stream.room, told.grants, told.taken]).toEqual([1, [], 1])
    expect(await stream.next()).toEqual({ value: 1, done: false })
    expect([told.grants, told.taken]).toEqual([[2], 2])
    await stream.next()
    await stream.next()
    expect([stream.room, told.grants, told.taken]).toEqual([4, [2, 2], 4])
  })

  test('gives a piece to who waits for it', async () => {
    const { stream, told } = arriving(2)
    const waiting = [stream.next(), stream.next()]
    expect(stream.push(0, 'a')).toBeUndefined()
    expect([stream.room, told.taken, told.grants]).toEqual([2, 1, [1]])
    stream.push(1, 'b')
    expect(await Promise.all(waiting)).toEqual([
      { value: 'a', done: false },
      { value: 'b', done: false },
    ])
  })

  test.each([1, -1, '0', null, undefined])('does not begin with a piece numbered %j', (sequence) => {
    const { stream } = arriving()
    expect(stream.push(sequence, 'a')).toContain('0 was expected')
    expect(stream.room).toBe(4)
  })

  test('gives no credit once it has ended', async () => {
    const { stream, told } = arriving(2)
    stream.push(0, 'a')
    stream.end()
    expect(stream.push(1, 'b')).toContain('has ended')
    expect(await stream.next()).toEqual({ value: 'a', done: false })
    expect([told.grants, told.taken]).toEqual([[], 1])
    expect(await stream.next()).toEqual(isOver)
  })

  test('ends for all who wait for a piece', async () => {
    const { stream } = arriving()
    const waiting = [stream.next(), stream.next()]
    stream.end()
    expect(await Promise.all(waiting)).toEqual([isOver, isOver])
  })

  test('fails after the pieces that came before, once', async () => {
    const { stream } = arriving()
    stream.push(0, 'a')
    stream.fail(failure)
    stream.fail(new Error('another'))
    stream.end()
    expect(await stream.next()).toEqual({ value: 'a', done: false })
    await expect(stream.next()).rejects.toBe(failure)
    expect(await stream.next()).toEqual(isOver)
  })

  test('fails for the first who waits, and ends for the others', async () => {
    const { stream } = arriving()
    const [first, second] = [stream.next(), stream.next()]
    stream.fail(failure)
    await expect(first).rejects.toBe(failure)
    expect(await second).toEqual(isOver)
    expect(await stream.next()).toEqual(isOver)
  })

  test('that has ended does not fail', async () => {
    const { stream } = arriving()
    stream.end()
    stream.fail(failure)
    expect(await stream.next()).toEqual(isOver)
  })

  test('is stopped by a reader that leaves, and what still comes is dropped', async () => {
    const { stream, told } = arriving()
    stream.push(0, 'a')
    const left = await stream.return()
    expect([left, told.stops, stream.room]).toEqual([isOver, 1, undefined])
    expect(stream.push(1, 'b')).toBeUndefined()
    expect(await stream.next()).toEqual(isOver)
    await stream.return()
    expect(told.stops).toBe(1)
  })

  test('is not stopped by a reader that leaves at its end, or after its failure', async () => {
    for (const end of ['end', 'fail'] as const) {
      const { stream, told } = arriving()
      stream[end](failure)
      expect(await stream.return()).toEqual(isOver)
      expect(await stream.next()).toEqual(isOver)
      expect(told.stops).toBe(0)
    }
  })

  test('that nobody counts the pieces of can be read', async () => {
    const stream = new IncomingStream(1, { grant: () => {}, stop: async () => {} })
    stream.push(0, 'a')
    expect(await stream.next()).toEqual({ value: 'a', done: false })
  })
})

test('credit is a whole number above 0', () => {
  expect([creditOf(1), creditOf(Number.MAX_SAFE_INTEGER)]).toEqual([1, Number.MAX_SAFE_INTEGER])
  for (const value of [0, -1, 1.5, '5', null, 2 ** 53, Number.POSITIVE_INFINITY, new Number(5), 5n])
    expect(() => creditOf(value)).toThrow(expect.objectContaining({ codeName: 'INVALID_PARAMS' }))
})
