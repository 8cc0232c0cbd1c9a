import { PassThrough } from 'node:stream'
import { ErrorCodes, PluginError } from '@appfactory/sdk'
import { creditOf, type IncomingCall, streamWindow } from '@appfactory/sdk/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { joinPeers, rawEnd } from './pair.js'

const credit = { stream: { credit: streamWindow } }

/** Something to wait for, settled from elsewhere. */
function deferred<T = void>() {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

/** A message there and one back have passed, so that everything sent before has arrived. */
async function quiet({ left, right }: ReturnType<typeof joinPeers>): Promise<void> {
  await left.request('ping', {})
  await right.request('ping', {})
  await left.request('ping', {})
}

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  const error = await work.then(
    () => {
      throw new Error('it did not fail')
    },
    (reason: unknown) => reason,
  )
  return (error as PluginError).codeName
}

describe('a call', () => {
  it('has a result, whatever it is', async () => {
    const { left } = joinPeers({}, { handle: ({ params }) => (params as { value: unknown }).value })
    for (const value of [null, 0, '', false, 'text', [1, 'ä🎉'], { a: { b: [] } }])
      expect(await left.request('echo', { value })).toEqual(value)
  })

  it('without a result has null', async () => {
    const { left } = joinPeers({}, { handle: () => undefined })
    expect((await left.request('nothing', {})) ?? null).toBeNull()
  })

  it('goes either way on one connection', async () => {
    const { left, right } = joinPeers(
      { handle: () => 'from the left' },
      { handle: async () => `asked: ${await right.request('back', {})}` },
    )
    expect(await left.request('there', {})).toBe('asked: from the left')
  })

  it('does not wait for others', async () => {
    const slow = deferred()
    const { left } = joinPeers({}, { handle: (call) => (call.method === 'slow' ? slow.promise : 'quick') })
    const waiting = left.request('slow', {})
    expect(await left.request('quick', {})).toBe('quick')
    slow.resolve()
    await waiting
  })

  it('gets the answer that is its own', async () => {
    const gates = Array.from({ length: 20 }, () => deferred())
    const { left } = joinPeers(
      {},
      {
        handle: async ({ params }) => {
          const { index } = params as { index: number }
          await gates[index]?.promise
          return index
        },
      },
    )
    const answers = gates.map((_, index) => left.request('n', { index }))
    for (const gate of gates.toReversed()) gate.resolve()
    expect(await Promise.all(answers)).toEqual(gates.map((_, index) => index))
  })

  it('fails with the code, the message and the data of the error', async () => {
    const { left } = joinPeers(
      {},
      {
        handle: () => {
          throw new PluginError(1002, 'Text exceeds maximum length', { limit: 5 })
        },
      },
    )
    await expect(left.request('x', {})).rejects.toMatchObject({
      code: 1002,
      message: 'Text exceeds maximum length',
      data: { limit: 5 },
    })
  })

  it('fails with INTERNAL_ERROR where nobody foresaw the error', async () => {
    const { left } = joinPeers({}, { handle: () => Promise.reject(new RangeError('too far')) })
    await expect(left.request('x', {})).rejects.toMatchObject({
      codeName: 'INTERNAL_ERROR',
      data: { error: 'RangeError' },
    })
  })

  it.each([
    ['a circle', () => circle()],
    ['a bigint', () => ({ n: 1n })],
  ])('whose result is %s fails with INTERNAL_ERROR', async (_, make) => {
    const { left } = joinPeers({}, { handle: make })
    expect(await codeOf(left.request('x', {}))).toBe('INTERNAL_ERROR')
  })

  it.each([
    ['a circle', circle()],
    ['a bigint', { n: 1n }],
  ])('whose arguments are %s fails here, and nothing is sent', async (_, params) => {
    const calls: string[] = []
    const ends = joinPeers({}, { handle: ({ method }) => calls.push(method) })
    expect(await codeOf(ends.left.request('x', params))).toBe('INTERNAL_ERROR')
    await quiet(ends)
    expect(calls).toEqual([])
  })
})

describe('a notification', () => {
  it('arrives, and is never answered, not even where it fails', async () => {
    const seen: unknown[] = []
    const end = rawEnd({
      handle: (call) => {
        seen.push([call.method, call.id, call.params])
        throw new PluginError('INVALID_PARAMS')
      },
    })
    end.send({ jsonrpc: '2.0', method: 'note', params: { a: 1 } })
    await end.settle()
    expect(seen).toEqual([['note', undefined, { a: 1 }]])
    expect(end.received).toEqual([])
  })

  it('unknown or malformed, it gets no reply', async () => {
    const end = rawEnd({})
    for (const params of [{ id: {} }, { id: 99 }, [], {}, { id: 1, n: -5 }, { id: 1, seq: 'x' }, undefined]) {
      for (const method of ['$/cancelRequest', '$/stream', '$/credit', '$/input', '$/inputCredit', '$/new'])
        end.send({ jsonrpc: '2.0', method, params })
    }
    end.send({ jsonrpc: '2.0', method: 'note', params: 'no structure' })
    await end.settle()
    expect(end.received).toEqual([])
  })
})

describe('one after another', () => {
  it('requests are done in order, and answered in order with everything else', async () => {
    const log: string[] = []
    const gate = deferred()
    const end = rawEnd({
      sequential: true,
      maxMessageBytes: 1000,
      handle: async ({ method }) => {
        log.push(`begin ${method}`)
        if (method === 'first') await gate.promise
        log.push(`end ${method}`)
        return method
      },
    })
    end.send({ jsonrpc: '2.0', id: 1, method: 'first' })
    end.send([{ jsonrpc: '2.0', id: 2, method: 'second' }])
    end.write('not JSON\n')
    end.send({ jsonrpc: '2.0', id: 3, method: 5 })
    end.write(`${'x'.repeat(2000)}\n`)
    end.send({ jsonrpc: '2.0', method: 'note' })
    end.send([])
    end.send({ jsonrpc: '2.0', id: 4, method: 'fourth' })
    gate.resolve()
    await end.settle()
    const order = end.received.map((message) =>
      Array.isArray(message) ? message.map(({ id }) => id) : (message.error?.code ?? message.id),
    )
    expect(order).toEqual([
      1,
      [2],
      ErrorCodes.PARSE_ERROR,
      ErrorCodes.INVALID_REQUEST,
      ErrorCodes.MESSAGE_TOO_LARGE,
      ErrorCodes.INVALID_REQUEST,
      4,
    ])
    expect(log).toEqual(
      ['first', 'second', 'note', 'fourth'].flatMap((name) => [`begin ${name}`, `end ${name}`]),
    )
  })

  it('a call that waits for its turn can be cancelled', async () => {
    const gate = deferred()
    const end = rawEnd({
      sequential: true,
      handle: async ({ method, signal }) => {
        if (method === 'first') await gate.promise
        signal.throwIfAborted()
        return method
      },
    })
    end.send({ jsonrpc: '2.0', id: 1, method: 'first' })
    end.send({ jsonrpc: '2.0', id: 2, method: 'second' })
    end.send({ jsonrpc: '2.0', method: '$/cancelRequest', params: { id: 2 } })
    gate.resolve()
    await end.settle()
    expect(end.received).toMatchObject([
      { id: 1, result: 'first' },
      { id: 2, error: { code: ErrorCodes.REQUEST_CANCELLED } },
    ])
  })
})

describe('a stream', () => {
  /** Answers in numbers from 0 up, and says how many were made and whether the generator was closed. */
  function counter(limit = Number.POSITIVE_INFINITY) {
    const state = { made: 0, closed: deferred(), reason: undefined as unknown }
    const handle = async (call: IncomingCall): Promise<unknown> => {
      const { stream } = call.params as { stream: { credit: unknown } }
      const outgoing = call.openStream(creditOf(stream.credit))
      try {
        while (state.made < limit) await outgoing.send(state.made++)
        return { pieces: outgoing.count }
      } catch (error) {
        state.reason = error
        throw error
      } finally {
        state.closed.resolve()
      }
    }
    return { state, handle }
  }

  it('brings all pieces in order', async () => {
    const { left } = joinPeers({}, { handle: counter(100).handle })
    const pieces: unknown[] = []
    for await (const piece of left.stream('count', credit)) pieces.push(piece)
    expect(pieces).toEqual(Array.from({ length: 100 }, (_, index) => index))
  })

  it('may be empty', async () => {
    const { left } = joinPeers({}, { handle: counter(0).handle })
    for await (const _ of left.stream('count', credit)) throw new Error('a piece')
  })

  it('never runs more than the window ahead of its reader', async () => {
    const { state, handle } = counter()
    const ends = joinPeers({}, { handle })
    const pieces = ends.left.stream('count', credit)
    await quiet(ends)
    // The one after the window is made, and waits to be sent.
    expect(state.made).toBe(streamWindow + 1)
    for (let taken = 1; taken <= 40; taken++) {
      await pieces.next()
      await quiet(ends)
      expect(state.made).toBeLessThanOrEqual(taken + streamWindow + 1)
      expect(state.made).toBeGreaterThan(taken)
    }
    await pieces.return?.()
  })

  it('an early break cancels it; the callee’s generator is closed before the loop is left', async () => {
    const { state, handle } = counter()
    const ends = joinPeers({}, { handle })
    for await (const piece of ends.left.stream('count', credit)) if (piece === 3) break
    expect(state.reason).toMatchObject({ codeName: 'REQUEST_CANCELLED' })
    await state.closed.promise
    await ends.right.idle()
  })

  it('ends with its reader’s connection', async () => {
    const { state, handle } = counter()
    const ends = joinPeers({}, { handle })
    await ends.left.stream('count', credit).next()
    ends.leftToRight.end()
    await state.closed.promise
    expect(state.reason).toMatchObject({ codeName: 'REQUEST_CANCELLED' })
  })

  it('fails after the pieces that came before the failure', async () => {
    const ends = joinPeers(
      {},
      {
        handle: async (call) => {
          const outgoing = call.openStream(16)
          await outgoing.send('a')
          await outgoing.send('b')
          throw new PluginError('LLM_RATE_LIMITED', 'slow down')
        },
      },
    )
    const seen: unknown[] = []
    const reading = (async () => {
      for await (const piece of ends.left.stream('x', credit)) seen.push(piece)
    })()
    await expect(reading).rejects.toMatchObject({ codeName: 'LLM_RATE_LIMITED' })
    expect(seen).toEqual(['a', 'b'])
  })

  it('can be cancelled by a signal', async () => {
    const { state, handle } = counter()
    const ends = joinPeers({}, { handle })
    const cancelling = new AbortController()
    const pieces = ends.left.stream('count', credit, { signal: cancelling.signal })
    await pieces.next()
    cancelling.abort()
    await state.closed.promise
    const drain = async (): Promise<void> => {
      for await (const _ of pieces);
    }
    expect(await codeOf(drain())).toBe('REQUEST_CANCELLED')
  })

  it('with a signal that is aborted already is not begun', async () => {
    const calls: string[] = []
    const ends = joinPeers({}, { handle: ({ method }) => calls.push(method) })
    expect(await codeOf(ends.left.stream('x', credit, { signal: AbortSignal.abort() }).next())).toBe(
      'REQUEST_CANCELLED',
    )
    await quiet(ends)
    expect(calls).toEqual([])
  })

  it('fails where nothing comes in time, and is cancelled', async () => {
    const cancelled = deferred()
    const ends = joinPeers(
      {},
      {
        handle: async (call) => {
          call.signal.addEventListener('abort', () => cancelled.resolve())
          await call.openStream(16).send(1)
          await cancelled.promise
        },
      },
    )
    const pieces = ends.left.stream('x', credit, { timeoutMs: 50 })
    expect(await pieces.next()).toEqual({ value: 1, done: false })
    expect(await codeOf(pieces.next())).toBe('CALL_TIMEOUT')
    await cancelled.promise
  })

  it.each([
    ['a piece is missing', [0, 2]],
    ['a piece comes twice', [0, 0]],
    ['a number is none', ['0']],
    ['more come than were asked for', Array.from({ length: streamWindow + 2 }, (_, index) => index)],
  ])('fails and is cancelled where %s', async (_, sequence) => {
    const end = rawEnd({})
    const pieces = end.peer.stream('x', credit)
    await end.until((message) => !Array.isArray(message) && message.method === 'x')
    for (const seq of sequence)
      end.send({ jsonrpc: '2.0', method: '$/stream', params: { id: 1, seq, value: seq } })
    await end.until((message) => !Array.isArray(message) && message.method === '$/cancelRequest')
    const drain = async (): Promise<void> => {
      for await (const _ of pieces);
    }
    expect(await codeOf(drain())).toBe('INTERNAL_ERROR')
  })

  it('can’t be asked for by a notification', async () => {
    const reason = deferred<unknown>()
    const end = rawEnd({
      handle: (call) => {
        try {
          call.openStream(1)
        } catch (error) {
          reason.resolve(error)
        }
      },
    })
    end.send({ jsonrpc: '2.0', method: 'x' })
    expect(await reason.promise).toMatchObject({ codeName: 'INVALID_REQUEST' })
  })

  it.each([0, -1, 1.5, '5', null, Number.NaN, undefined])('a credit of %j is none', (value) => {
    expect(() => creditOf(value)).toThrow(expect.objectContaining({ codeName: 'INVALID_PARAMS' }))
  })
})

describe('cancelling', () => {
  it('a call that is cancelled in advance is not sent', async () => {
    const calls: string[] = []
    const ends = joinPeers({}, { handle: ({ method }) => calls.push(method) })
    expect(await codeOf(ends.left.request('x', {}, { signal: AbortSignal.abort() }))).toBe(
      'REQUEST_CANCELLED',
    )
    await quiet(ends)
    expect(calls).toEqual([])
  })

  it('aborts the callee’s signal with the reason; the call ends with what the callee answers', async () => {
    const begun = deferred()
    const ends = joinPeers(
      {},
      {
        handle: ({ signal }) => {
          begun.resolve()
          return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        },
      },
    )
    const cancelling = new AbortController()
    const call = ends.left.request('x', {}, { signal: cancelling.signal })
    await begun.promise
    cancelling.abort()
    expect(await codeOf(call)).toBe('REQUEST_CANCELLED')
  })

  it('a signal that is asked for late is aborted already', async () => {
    const cancelled = deferred()
    const ends = joinPeers(
      {},
      {
        handle: async (call) => {
          call.signal.addEventListener('abort', () => cancelled.resolve())
          await cancelled.promise
          return call.signal.aborted
        },
      },
    )
    const cancelling = new AbortController()
    const call = ends.left.request('x', {}, { signal: cancelling.signal })
    cancelling.abort()
    expect(await call).toBe(true)
  })

  it('a cancel that races with the result gets exactly one answer', async () => {
    const end = rawEnd({
      handle: async ({ params, signal }) => {
        for (let turn = 0; turn < (params as { turns: number }).turns; turn++) await null
        signal.throwIfAborted()
        return 'done'
      },
    })
    const calls = 200
    for (let id = 1; id <= calls; id++) {
      end.send({ jsonrpc: '2.0', id, method: 'x', params: { turns: id % 20 } })
      for (let again = 0; again <= id % 3; again++)
        end.send({ jsonrpc: '2.0', method: '$/cancelRequest', params: { id } })
      if (id % 5 === 0) await null
    }
    await end.settle()
    await end.peer.idle()
    await end.settle()
    const ids = end.received.flat().map(({ id }) => id as number)
    expect(ids.toSorted((a, b) => a - b)).toEqual(Array.from({ length: calls }, (_, index) => index + 1))
    for (const message of end.received.flat())
      expect(message.result ?? message.error?.code).toBeOneOf(['done', ErrorCodes.REQUEST_CANCELLED])
  })
})

describe('an id already in flight', () => {
  it('is INVALID_REQUEST, and the first call is unaffected', async () => {
    const gate = deferred()
    const end = rawEnd({ handle: () => gate.promise.then(() => 'first') })
    end.send({ jsonrpc: '2.0', id: 7, method: 'x' })
    end.send({ jsonrpc: '2.0', id: 7, method: 'x' })
    await end.settle()
    expect(end.received).toMatchObject([{ id: 7, error: { code: ErrorCodes.INVALID_REQUEST } }])
    gate.resolve()
    await end.peer.idle()
    await end.settle()
    expect(end.received).toMatchObject([{ error: {} }, { id: 7, result: 'first' }])
  })

  it('may be used again once it is answered; 1 and "1" are two', async () => {
    const end = rawEnd({ handle: ({ method }) => method })
    end.send({ jsonrpc: '2.0', id: 1, method: 'a' })
    end.send({ jsonrpc: '2.0', id: '1', method: 'b' })
    await end.settle()
    end.send({ jsonrpc: '2.0', id: 1, method: 'c' })
    await end.settle()
    expect(end.received).toMatchObject([
      { id: 1, result: 'a' },
      { id: '1', result: 'b' },
      { id: 1, result: 'c' },
    ])
  })
})

describe('a reply that nobody waits for', () => {
  it.each([
    ['an unknown id', { jsonrpc: '2.0', id: 99, result: 1 }],
    ['an id of the wrong type', { jsonrpc: '2.0', id: '1', result: 1 }],
    ['no id', { jsonrpc: '2.0', result: 1 }],
    ['null for an id', { jsonrpc: '2.0', id: null, error: { code: 1, message: 'x' } }],
    ['an object for an id', { jsonrpc: '2.0', id: {}, result: 1 }],
    [
      'a stream’s piece of no call',
      { jsonrpc: '2.0', method: '$/stream', params: { id: 99, seq: 0, value: 1 } },
    ],
  ])('with %s is dropped and counted; the call that waits is unaffected', async (_, reply) => {
    const end = rawEnd({})
    const call = end.peer.request('x', {})
    end.send(reply)
    await end.settle()
    expect(end.peer.counts.droppedReplies).toBe(1)
    expect(end.received).toMatchObject([{ method: 'x' }])
    end.send({ jsonrpc: '2.0', id: 1, result: 'mine' })
    expect(await call).toBe('mine')
  })

  it('after its timeout is dropped and counted', async () => {
    const gate = deferred()
    const ends = joinPeers({}, { handle: () => gate.promise })
    expect(await codeOf(ends.left.request('x', {}, { timeoutMs: 20 }))).toBe('CALL_TIMEOUT')
    gate.resolve()
    await quiet(ends)
    expect(ends.left.counts.droppedReplies).toBe(1)
  })

  it('twice counts once', async () => {
    const end = rawEnd({})
    const call = end.peer.request('x', {})
    end.send({ jsonrpc: '2.0', id: 1, result: 'first' })
    end.send({ jsonrpc: '2.0', id: 1, result: 'second' })
    expect(await call).toBe('first')
    await end.settle()
    expect(end.peer.counts.droppedReplies).toBe(1)
  })

  it('a malformed reply to a call that waits fails that call', async () => {
    const end = rawEnd({})
    const call = end.peer.request('x', {})
    end.send({ jsonrpc: '2.0', id: 1, error: 'bad' })
    expect(await codeOf(call)).toBe('INTERNAL_ERROR')
  })
})

describe('a timeout', () => {
  it('fails the call with CALL_TIMEOUT, names the method, and cancels it at the other end', async () => {
    const cancelled = deferred<unknown>()
    const ends = joinPeers(
      {},
      {
        handle: (call) => {
          call.signal.addEventListener('abort', () => cancelled.resolve(call.signal.reason))
          return new Promise(() => {})
        },
      },
    )
    const call = ends.left.request('slow_thing', {}, { timeoutMs: 20 })
    await expect(call).rejects.toMatchObject({
      codeName: 'CALL_TIMEOUT',
      message: expect.stringContaining('slow_thing'),
      data: { timeout_ms: 20 },
    })
    expect(await cancelled.promise).toMatchObject({ codeName: 'REQUEST_CANCELLED' })
  })
})

describe('an input stream', () => {
  /** Answers with all items of the input. */
  async function collect(call: IncomingCall): Promise<unknown[]> {
    const items: unknown[] = []
    for await (const item of call.input) items.push(item)
    return items
  }

  it('arrives whole and in order', async () => {
    const { left } = joinPeers({}, { handle: collect })
    const items = Array.from({ length: 100 }, (_, index) => `item ${index}`)
    expect(await left.request('x', {}, { input: pieces(items) })).toEqual(items)
    expect(await left.request('x', {}, { input: pieces([]) })).toEqual([])
  })

  it('is made no further ahead than the window', async () => {
    let made = 0
    const gate = deferred()
    const ends = joinPeers(
      {},
      {
        handle: async (call) => {
          await gate.promise
          return (await collect(call)).length
        },
      },
    )
    async function* input(): AsyncGenerator<number> {
      while (made < 100) yield made++
    }
    const call = ends.left.request('x', {}, { input: input() })
    await quiet(ends)
    expect(made).toBe(streamWindow + 1)
    gate.resolve()
    expect(await call).toBe(100)
  })

  it('that fails cancels the call, which fails with the input’s error', async () => {
    const reason = deferred<unknown>()
    const ends = joinPeers(
      {},
      {
        handle: async (call) => {
          try {
            return await collect(call)
          } catch (error) {
            reason.resolve(error)
            throw error
          }
        },
      },
    )
    async function* input(): AsyncGenerator<string> {
      yield 'a'
      throw new PluginError('STT_AUDIO_INVALID', 'the microphone is gone')
    }
    expect(await codeOf(ends.left.request('x', {}, { input: input() }))).toBe('STT_AUDIO_INVALID')
    expect(await reason.promise).toMatchObject({ codeName: 'REQUEST_CANCELLED' })
  })

  it.each([
    ['too large', 'x'.repeat(1000), 'MESSAGE_TOO_LARGE'],
    ['not JSON', { n: 1n }, 'INTERNAL_ERROR'],
  ])('with an item that is %s fails the call', async (_, item, code) => {
    const { left } = joinPeers({ maxSendBytes: 500 }, { handle: collect })
    expect(await codeOf(left.request('x', {}, { input: pieces(['a', item]) }))).toBe(code)
  })

  it('of a call that has ended is closed', async () => {
    const closed = deferred()
    async function* input(): AsyncGenerator<number> {
      try {
        for (let item = 0; ; item++) yield item
      } finally {
        closed.resolve()
      }
    }
    const { left } = joinPeers(
      {},
      {
        handle: async (call) => {
          for await (const item of call.input) return item
          return 'none'
        },
      },
    )
    expect(await left.request('x', {}, { input: input() })).toBe(0)
    await closed.promise
  })

  it('ends with the connection', async () => {
    const reason = deferred<unknown>()
    const ends = joinPeers({}, { handle: (call) => collect(call).catch(reason.resolve) })
    async function* input(): AsyncGenerator<string> {
      yield 'a'
      await new Promise(() => {})
    }
    const call = ends.left.request('x', {}, { input: input() })
    call.catch(() => {})
    await quiet(ends)
    ends.leftToRight.end()
    expect(await reason.promise).toMatchObject({ codeName: 'REQUEST_CANCELLED' })
  })

  it('that is broken fails at the reader', async () => {
    const end = rawEnd({ handle: collect })
    end.send({ jsonrpc: '2.0', id: 1, method: 'x' })
    end.send({ jsonrpc: '2.0', method: '$/input', params: { id: 1, seq: 1, value: 'second' } })
    await end.until((message) => !Array.isArray(message) && message.id === 1)
    expect(end.received).toMatchObject([{ id: 1, error: { code: ErrorCodes.INVALID_REQUEST } }])
  })
})

describe('closing', () => {
  it('fails calls to the other end, cancels calls from it, and refuses new ones', async () => {
    const cancelled = deferred<PluginError>()
    const ends = joinPeers(
      {
        handle: (call) => {
          call.signal.addEventListener('abort', () => cancelled.resolve(call.signal.reason))
          return new Promise(() => {})
        },
      },
      { handle: () => new Promise(() => {}) },
    )
    const fromLeft = ends.left.request('x', {})
    void ends.right.request('y', {}).catch(() => {})
    await quiet(ends)
    ends.left.close(new PluginError('PLUGIN_CRASHED', 'gone'))
    expect(await codeOf(fromLeft)).toBe('PLUGIN_CRASHED')
    expect(await cancelled.promise).toMatchObject({ codeName: 'PLUGIN_CRASHED' })
    expect(await codeOf(ends.left.request('x', {}))).toBe('PLUGIN_CRASHED')
    expect(await codeOf(ends.left.stream('x', credit).next())).toBe('PLUGIN_CRASHED')
  })

  it('by the other end fails pending calls', async () => {
    const ends = joinPeers({}, { handle: () => new Promise(() => {}) })
    const call = ends.left.request('x', {})
    ends.rightToLeft.end()
    expect(await codeOf(call)).toBe('REQUEST_CANCELLED')
  })

  it('by the other end is told, where somebody wants to know, with the last line read first', async () => {
    const input = new PassThrough()
    const seen: string[] = []
    const ended = deferred()
    const { Peer } = await import('@appfactory/sdk/wire')
    new Peer({
      input,
      output: new PassThrough(),
      handle: ({ method }) => seen.push(method),
      onEnd: () => {
        seen.push('end')
        ended.resolve()
      },
    })
    input.end('{"jsonrpc":"2.0","method":"last"}')
    await ended.promise
    expect(seen).toEqual(['last', 'end'])
  })

  it('is told of an end that can’t be written to', async () => {
    const gone = deferred()
    const { rightToLeft } = joinPeers({}, { onGone: () => gone.resolve() })
    rightToLeft.destroy(new Error('EPIPE'))
    await gone.promise
  })

  it('leaves nothing to wait for: idle', async () => {
    const gate = deferred()
    const ends = joinPeers({}, { handle: () => gate.promise })
    const call = ends.left.request('x', {})
    await quiet(ends)
    expect(ends.right.callsInFlight).toBe(1)
    let idle = false
    const waiting = ends.right.idle().then(() => {
      idle = true
    })
    await quiet(ends)
    expect(idle).toBe(false)
    gate.resolve()
    await Promise.all([waiting, call])
    expect(ends.right.callsInFlight).toBe(0)
  })
})

describe('a message over the limit', () => {
  it('is not sent: the call fails at once with MESSAGE_TOO_LARGE, and others go on', async () => {
    const seen: string[] = []
    const ends = joinPeers({ maxSendBytes: 500 }, { handle: ({ method }) => seen.push(method) })
    await expect(ends.left.request('large', { text: 'ä'.repeat(300) })).rejects.toMatchObject({
      codeName: 'MESSAGE_TOO_LARGE',
      data: { limit: 500 },
    })
    await ends.left.request('small', { text: 'ä'.repeat(10) })
    expect(seen).toEqual(['small'])
  })

  it('as a result is answered by MESSAGE_TOO_LARGE', async () => {
    const { left } = joinPeers({}, { maxSendBytes: 500, handle: () => 'x'.repeat(600) })
    expect(await codeOf(left.request('x', {}))).toBe('MESSAGE_TOO_LARGE')
  })

  it('as a piece fails the stream', async () => {
    const { left } = joinPeers(
      {},
      { maxSendBytes: 500, handle: (call) => call.openStream(16).send('x'.repeat(600)) },
    )
    expect(await codeOf(left.stream('x', credit).next())).toBe('MESSAGE_TOO_LARGE')
  })

  it('from the other end is answered once, and what follows is served', async () => {
    const end = rawEnd({ maxMessageBytes: 500 })
    for (let part = 0; part < 10; part++) end.write('x'.repeat(400))
    end.write('\n')
    await end.settle()
    expect(end.received).toMatchObject([{ id: null, error: { code: ErrorCodes.MESSAGE_TOO_LARGE } }])
  })

  it('is left to who wants to act on it', async () => {
    let told = 0
    const end = rawEnd({
      maxMessageBytes: 500,
      onOversize: () => {
        told += 1
      },
    })
    end.write(`${'x'.repeat(5000)}\n`)
    await end.settle()
    expect(told).toBe(1)
    expect(end.received).toEqual([])
  })
})

describe('what is printed between the messages', () => {
  function noisy() {
    const noise: string[] = []
    return { noise, end: rawEnd({ idNonce: 'n', onNoise: (text) => noise.push(text) > 0 }) }
  }

  it.each([
    'hello from a library',
    '{"level":"info","msg":"started"}',
    '[1,2,3]',
    '[]',
    '"text"',
    '17',
    '{"jsonrpc":"1.0","id":5,"method":"x"}',
    '{"jsonrpc":"2.0","id":{},"method":"x"}',
    '{"jsonrpc":"2.0","method":',
  ])('%s is counted and never answered; calls go on', async (line) => {
    const { noise, end } = noisy()
    end.write(`${line}\n`)
    await end.settle()
    expect(end.received).toEqual([])
    expect(end.peer.counts.noise).toBe(1)
    expect(noise).toHaveLength(1)
  })

  it('empty lines are not even noise', async () => {
    const { end } = noisy()
    end.write('\n  \n\r\n')
    await end.settle()
    expect(end.peer.counts.noise).toBe(0)
  })

  it('that is not UTF-8 is noise too', async () => {
    const { noise, end } = noisy()
    end.write(Uint8Array.of(0xff, 0xfe, 0x0a))
    await end.settle()
    expect(noise).toHaveLength(1)
  })

  it('without a line end does not cost the message behind it', async () => {
    const { noise, end } = noisy()
    const call = end.peer.request('x', {})
    end.write('progress 50%… {"jsonrpc":"2.0","id":"n:1","result":{"text":"ä"}}\n')
    expect(await call).toEqual({ text: 'ä' })
    expect(noise).toEqual(['progress 50%… '])
    expect(end.peer.counts.noise).toBe(1)
  })

  it('that begins like a message does not cost the one behind it', async () => {
    const { end } = noisy()
    const call = end.peer.request('x', {})
    end.write('{"jsonrpc":"2.0","id":"n:1","res{"jsonrpc":"2.0","id":"n:1","result":5}\n')
    expect(await call).toBe(5)
  })

  it('does not cost a message that holds another one', async () => {
    const { end } = noisy()
    const call = end.peer.request('x', {})
    const inner = { jsonrpc: '2.0', id: 9, method: 'inner' }
    end.write(`noise${JSON.stringify({ jsonrpc: '2.0', id: 'n:1', result: { inner } })}\n`)
    expect(await call).toEqual({ inner })
  })

  it('that is not UTF-8 does not cost the message behind it', async () => {
    const { end } = noisy()
    const call = end.peer.request('x', {})
    end.write(Uint8Array.of(0xfc, 0x20))
    end.write('{"jsonrpc":"2.0","id":"n:1","result":5}\n')
    expect(await call).toBe(5)
  })
})

describe('batches', () => {
  it('over the limit get one INVALID_REQUEST', async () => {
    const seen: string[] = []
    const end = rawEnd({ maxBatch: 3, handle: ({ method }) => seen.push(method) })
    end.send(Array.from({ length: 4 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'x' })))
    await end.settle()
    expect(end.received).toMatchObject([{ id: null, error: { code: ErrorCodes.INVALID_REQUEST } }])
    expect(seen).toEqual([])
  })

  it('up to the limit are answered together', async () => {
    const end = rawEnd({ maxBatch: 3, handle: ({ id }) => id })
    end.send(Array.from({ length: 3 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'x' })))
    await end.settle()
    expect(end.received).toMatchObject([[{ result: 0 }, { result: 1 }, { result: 2 }]])
  })

  it('may bring replies, which are not answered', async () => {
    const end = rawEnd({ handle: ({ id }) => id })
    const call = end.peer.request('x', {})
    end.send([{ jsonrpc: '2.0', id: 1, result: 'reply' }])
    expect(await call).toBe('reply')
    await end.settle()
    expect(end.received).toMatchObject([{ method: 'x' }])
  })
})

describe('properties', () => {
  const value = fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' })

  it('every message arrives through every split of its bytes', async () => {
    const end = rawEnd({ handle: ({ params }) => params })
    const line = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"x","params":{"t":"ä🎉—"}}\n')
    for (let at = 0; at <= line.length; at++) {
      end.write(line.subarray(0, at))
      await new Promise(setImmediate)
      end.write(line.subarray(at))
      await end.settle()
    }
    end.received.forEach((message) => {
      expect(message).toMatchObject({ id: 1, result: { t: 'ä🎉—' } })
    })
    expect(end.received).toHaveLength(line.length + 1)
    end.received.length = 0
    for (const byte of line) end.write(Uint8Array.of(byte))
    await end.settle()
    expect(end.received).toMatchObject([{ id: 1, result: { t: 'ä🎉—' } }])
  })

  it('any value goes there and back, however the bytes are cut', async () => {
    await fc.assert(
      fc.asyncProperty(value, fc.array(fc.nat(40), { maxLength: 10 }), async (given, lengths) => {
        const params = { value: safe(given) }
        const end = rawEnd({ handle: (call) => call.params })
        let bytes = Buffer.from(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'x', params })}\n`)
        for (const length of lengths) {
          end.write(bytes.subarray(0, length))
          bytes = bytes.subarray(length)
        }
        end.write(bytes)
        await end.settle()
        expect(end.received).toMatchObject([{ id: 1 }])
        expect((end.received[0] as { result: unknown }).result).toEqual(JSON.parse(JSON.stringify(params)))
      }),
      { numRuns: 200 },
    )
  })

  it('no line gets more than one answer', async () => {
    const member = fc.oneof(value, fc.constantFrom('2.0', 'x', 1, null))
    const almostMessage = fc.record(
      {
        jsonrpc: fc.constantFrom('2.0', '2.0', '1.0', 2),
        id: member,
        method: member,
        params: member,
        result: member,
        error: member,
      },
      { requiredKeys: [] },
    )
    const line = fc.oneof(
      fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\n', '')),
      almostMessage.map((message) => JSON.stringify(message)),
      fc.array(almostMessage, { maxLength: 4 }).map((batch) => JSON.stringify(batch)),
      almostMessage.map((message) => JSON.stringify(message).slice(1)),
    )
    await fc.assert(
      fc.asyncProperty(line, async (text) => {
        const end = rawEnd({ handle: ({ params }) => params })
        end.write(`${text}\n`)
        await end.settle()
        expect(end.received.length).toBeLessThanOrEqual(1)
      }),
      { numRuns: 500 },
    )
  })

  it('no notification gets an answer', async () => {
    const method = fc.oneof(
      fc.string(),
      fc.constantFrom('$/cancelRequest', '$/stream', '$/credit', '$/input', '$/inputCredit'),
    )
    await fc.assert(
      fc.asyncProperty(method, fc.option(value, { nil: undefined }), async (name, params) => {
        const end = rawEnd({
          handle: () => {
            throw new Error('refused')
          },
        })
        end.send({ jsonrpc: '2.0', method: name, params })
        await end.settle()
        expect(end.received).toEqual([])
      }),
      { numRuns: 300 },
    )
  })
})

function circle(): object {
  const object: Record<string, unknown> = {}
  object['self'] = object
  return object
}

async function* pieces(items: readonly unknown[]): AsyncGenerator<unknown> {
  yield* items
}

/** JSON without what the wire refuses: numbers that are not exact, and `__proto__`. */
function safe(given: unknown): unknown {
  if (typeof given === 'number') return Number.isInteger(given) && !Number.isSafeInteger(given) ? 0 : given
  if (Array.isArray(given)) return given.map(safe)
  if (typeof given !== 'object' || given === null) return given
  return Object.fromEntries(
    Object.entries(given).flatMap(([key, item]) => (key === '__proto__' ? [] : [[key, safe(item)]])),
  )
}

describe('the reason of the application’s own code', () => {
  const ends = () =>
    joinPeers(
      {},
      {
        handle: async ({ method, signal, input }) => {
          if (method === 'read') for await (const _ of input);
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
          signal.throwIfAborted()
        },
      },
    )

  it('for a cancel is kept, before and during a call', async () => {
    const why = new Error('the user has left')
    for (const signal of [AbortSignal.abort(why), abortSoon(why)]) {
      const { left } = ends()
      const error = await left.request('wait', {}, { signal }).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ codeName: 'REQUEST_CANCELLED', cause: why })
      expect((error as Error).message).toContain('the user has left')
      expect(await left.request('ping', {})).toBe('pong')
    }
    const { left } = ends()
    const timedOut = left.request('wait', {}, { signal: AbortSignal.timeout(5) })
    await expect(timedOut).rejects.toMatchObject({ cause: { name: 'TimeoutError' }, message: /timeout/ })
    const pieces = left.stream('wait', {}, { signal: AbortSignal.abort('because') })
    await expect(pieces.next()).rejects.toMatchObject({ cause: 'because', codeName: 'REQUEST_CANCELLED' })
  })

  it('for the end of its input is kept', async () => {
    const gone = new Error('microphone gone')
    async function* microphone(error: unknown) {
      yield 'a'
      throw error
    }
    const { left } = ends()
    await expect(left.request('read', {}, { input: microphone(gone) })).rejects.toMatchObject({
      codeName: 'INTERNAL_ERROR',
      message: /microphone gone/,
      cause: gone,
    })
    const own = new PluginError('STT_AUDIO_INVALID', 'no sound')
    await expect(left.request('read', {}, { input: microphone(own) })).rejects.toBe(own)
    expect(await left.request('ping', {})).toBe('pong')
  })

  it('counts with a signal that Node did not make', async () => {
    const events = new EventTarget()
    const foreign = Object.assign(
      {
        aborted: false,
        reason: undefined as unknown,
        addEventListener: events.addEventListener.bind(events),
        removeEventListener: events.removeEventListener.bind(events),
      },
      {},
    )
    const { left } = ends()
    const options = { signal: foreign as unknown as AbortSignal }
    const call = left.request('wait', {}, options)
    const piece = left.stream('wait', {}, options).next()
    Object.assign(foreign, { aborted: true, reason: 'enough' })
    events.dispatchEvent(new Event('abort'))
    for (const ended of [call, piece])
      await expect(ended).rejects.toMatchObject({ codeName: 'REQUEST_CANCELLED', cause: 'enough' })
  })

  function abortSoon(reason: unknown): AbortSignal {
    const controller = new AbortController()
    setTimeout(() => controller.abort(reason), 5)
    return controller.signal
  }
})
