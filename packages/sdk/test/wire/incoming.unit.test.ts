import { ErrorCodes, PluginError } from '@appfactory/sdk'
import { type IncomingCall, streamWindow } from '@appfactory/sdk/internal'
import { describe, expect, it } from 'vitest'
import { codeOf, deferred, joinPeers, pieces, quiet, rawEnd } from './pair.js'

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

  it('reaches all calls that are made for the call', async () => {
    const begun = deferred()
    const cancelled: string[] = []
    const made: string[] = []
    const ends = joinPeers(
      {
        handle: async ({ method, signal }) => {
          if (made.push(method) === 2) begun.resolve()
          await new Promise((resolve) => signal.addEventListener('abort', resolve))
          cancelled.push(method)
        },
      },
      {
        handle: async (call) => {
          const options = { cancellation: call }
          await Promise.all(['one', 'two'].map((method) => ends.right.request(method, {}, options)))
        },
      },
    )
    const controller = new AbortController()
    const call = ends.left.request('x', {}, { signal: controller.signal })
    await begun.promise
    controller.abort()
    await call
    expect(cancelled).toEqual(['one', 'two'])
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
