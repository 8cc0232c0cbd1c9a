import { PluginError } from '@appfactory/sdk'
import { creditOf, type IncomingCall, streamWindow } from '@appfactory/sdk/internal'
import { describe, expect, it } from 'vitest'
import { codeOf, credit, deferred, joinPeers, quiet, rawEnd } from './pair.js'

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

function circle(): object {
  const object: Record<string, unknown> = {}
  object['self'] = object
  return object
}
