import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { PluginError } from '../../src/errors.js'
import { IncomingCall } from '../../src/wire/call.js'

const reason = new PluginError('REQUEST_CANCELLED', 'Cancelled')
const ended = new PluginError('REQUEST_CANCELLED', 'The input has ended')

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A call that came in a line of 100 bytes (with null for its id: a notification), and what its connection was told. */
function incoming(id: number | null = 1) {
  const told = { pieces: [] as unknown[], notes: [] as unknown[], early: [] as PluginError[], held: 0 }
  const connection = {
    sendPiece: (...piece: unknown[]) => void told.pieces.push(piece),
    notify: (...note: unknown[]) => void told.notes.push(note),
    answerEarly: (_id: unknown, error: PluginError) => void told.early.push(error),
    countHeld: (bytes: number) => {
      told.held += bytes
    },
  }
  const request = { jsonrpc: '2.0' as const, method: 'say', params: { text: 'x' } }
  const call = new IncomingCall(id === null ? request : { ...request, id }, connection, 100)
  return { call, told }
}

describe('what a call brought', () => {
  test('is held until it is handed over, or the work has ended', () => {
    for (const end of ['handedOver', 'finish'] as const) {
      const { call, told } = incoming()
      expect([told.held, call.params]).toEqual([100, { text: 'x' }])
      call[end]()
      call.handedOver()
      call.finish()
      expect([told.held, call.params]).toEqual([0, undefined])
    }
  })

  test('is held for each item of an input until it is taken, or the work has ended', async () => {
    const { call, told } = incoming()
    call.receiveInput(0, 'a', false, 10)
    call.receiveInput(1, 'b', false, 20)
    call.receiveInput(2, 'c', false, 40)
    expect(told.held).toBe(170)
    const items = call.input[Symbol.asyncIterator]()
    expect(await items.next()).toEqual({ value: 'a', done: false })
    expect(told.held).toBe(160)
    call.receiveInput(3, undefined, true, 5000)
    await items.next()
    expect(told.held).toBe(140)
    call.finish()
    expect(told.held).toBe(0)
    call.finish()
    expect(told.held).toBe(0)
  })
})

describe('an answer in pieces', () => {
  test('goes out by the call’s id, as far as there is credit, that which came early included', async () => {
    const { call, told } = incoming(7)
    call.addCredit(1)
    call.addCredit(1)
    const stream = call.openStream(1)
    await stream.send('a')
    await stream.send('b')
    await stream.send('c')
    void stream.send('d')
    expect(told.pieces).toHaveLength(3)
    call.addCredit(1)
    await vi.advanceTimersByTimeAsync(0)
    expect(told.pieces).toEqual([
      [7, 0, 'a'],
      [7, 1, 'b'],
      [7, 2, 'c'],
      [7, 3, 'd'],
    ])
  })

  test('ends where it is opened after the call was cancelled, or the other end fell silent', async () => {
    const cancelled = incoming().call
    cancelled.cancel(reason)
    await expect(cancelled.openStream(5).send('a')).rejects.toBe(reason)
    const silent = incoming().call
    silent.endInput(ended)
    const stream = silent.openStream(1)
    await stream.send('a')
    await expect(stream.send('b')).rejects.toBe(ended)
  })

  test('ends where it waits for credit when the call is cancelled, or the other end falls silent', async () => {
    for (const [end, why] of [
      ['cancel', reason],
      ['endInput', ended],
    ] as const) {
      const { call } = incoming()
      const waiting = expect(call.openStream(0).send('a')).rejects.toBe(why)
      call[end](why)
      await waiting
    }
  })

  test('is none of a notification', () => {
    const { call } = incoming(null)
    expect(() => call.openStream(1)).toThrow(expect.objectContaining({ codeName: 'INVALID_REQUEST' }))
  })
})

describe('an input', () => {
  test('gives credit for what was taken, by the call’s id', async () => {
    const { call, told } = incoming(7)
    const items = call.input[Symbol.asyncIterator]()
    for (let sequence = 0; sequence < 32; sequence++) {
      call.receiveInput(sequence, sequence, false, 1)
      await items.next()
    }
    expect(told.notes).toEqual([['$/inputCredit', { id: 7, n: 32 }]])
  })

  test('ends with its last item, and its reader leaves without a word', async () => {
    const { call, told } = incoming()
    call.receiveInput(0, 'a', false, 1)
    call.receiveInput(1, undefined, true, 1)
    const items: unknown[] = []
    for await (const item of call.input) items.push(item)
    expect(items).toEqual(['a'])
    const left = incoming()
    left.call.receiveInput(0, 'a', false, 1)
    for await (const _ of left.call.input) break
    expect([told.notes, left.told.notes]).toEqual([[], []])
  })

  test('that is broken fails at its reader, and holds no more than that', async () => {
    const { call } = incoming()
    call.receiveInput(3, 'a', false, 1)
    const [first] = [call.input[Symbol.asyncIterator]().next()]
    await expect(first).rejects.toMatchObject({ codeName: 'INVALID_REQUEST' })
  })

  test('fails with the call, or with the other end, whenever it is asked for', async () => {
    for (const isEarly of [true, false]) {
      const { call } = incoming()
      const reading = isEarly ? call.input[Symbol.asyncIterator]().next() : undefined
      const failed = reading && expect(reading).rejects.toBe(ended)
      call.endInput(ended)
      if (failed) await failed
      else await expect(call.input[Symbol.asyncIterator]().next()).rejects.toBe(ended)
    }
    const { call } = incoming()
    const waiting = expect(call.input[Symbol.asyncIterator]().next()).rejects.toBe(reason)
    call.cancel(reason)
    await waiting
  })

  test('of a call whose work has ended is over', async () => {
    const { call } = incoming()
    const waiting = call.input[Symbol.asyncIterator]().next()
    call.finish()
    expect(await waiting).toEqual({ value: undefined, done: true })
  })
})

describe('a cancel', () => {
  test('aborts a signal that is asked for before or after it, with its reason, and is one', () => {
    for (const isEarly of [true, false]) {
      const { call } = incoming()
      const early = isEarly ? call.signal : undefined
      expect(early?.aborted ?? false).toBe(false)
      call.cancel(reason)
      call.cancel(ended)
      const { signal } = call
      expect([signal.aborted, signal.reason, call.cancelled]).toEqual([true, reason, reason])
      expect(early ?? signal).toBe(signal)
      expect(call.signal).toBe(signal)
    }
  })

  test('of work that goes on is answered early, after its grace', () => {
    const { call, told } = incoming()
    call.cancelGraceMs = 1000
    call.cancel(reason)
    vi.advanceTimersByTime(999)
    expect([told.early, call.answered]).toEqual([[], false])
    vi.advanceTimersByTime(1)
    expect(call.answered).toBe(true)
    expect(told.early).toMatchObject([
      { codeName: 'REQUEST_CANCELLED', message: expect.stringMatching(/^Cancelled, but .*still working/) },
    ])
  })

  test('of work that ends within its grace, has no grace, or nobody waits for, is not answered early', () => {
    const finished = incoming()
    finished.call.cancelGraceMs = 1000
    finished.call.cancel(reason)
    finished.call.finish()
    const patient = incoming()
    patient.call.cancel(reason)
    const { call, told } = incoming(null)
    call.cancelGraceMs = 1000
    call.cancel(reason)
    vi.advanceTimersByTime(1e7)
    expect([finished.told.early, patient.told.early, told.early]).toEqual([[], [], []])
    expect([finished.call.answered, patient.call.answered, call.answered]).toEqual([false, false, false])
    expect(vi.getTimerCount()).toBe(0)
  })
})
