import { PassThrough } from 'node:stream'
import { ErrorCodes, PluginError } from '@appfactory/sdk'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { codeOf, credit, deferred, joinPeers, quiet, rawEnd } from './pair.js'

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
    const { Peer } = await import('@appfactory/sdk/internal')
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

describe('properties', () => {
  const value = fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' })

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

/** JSON without what the wire refuses: numbers that are not exact, and `__proto__`. */
function safe(given: unknown): unknown {
  if (typeof given === 'number') return Number.isInteger(given) && !Number.isSafeInteger(given) ? 0 : given
  if (Array.isArray(given)) return given.map(safe)
  if (typeof given !== 'object' || given === null) return given
  return Object.fromEntries(
    Object.entries(given).flatMap(([key, item]) => (key === '__proto__' ? [] : [[key, safe(item)]])),
  )
}
