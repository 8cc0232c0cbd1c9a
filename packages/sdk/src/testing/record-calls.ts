import { isPromise } from 'node:util/types'
import type { AnyPlugin } from '../contracts/base.js'

/** One call of a method of the contract, by a test or by another method of the plugin. */
export interface RecordedCall {
  /** As in TypeScript: `getVoices`. */
  readonly method: string
  readonly args: readonly unknown[]
  /** The returned or resolved value; for a stream, its pieces so far. */
  result?: unknown
  /** The thrown or rejected value. */
  error?: unknown
}

type Method = (...args: unknown[]) => unknown

/** Records each call of `methods` from now on, in the order in which they begin. */
export function recordCalls(plugin: AnyPlugin, methods: readonly string[]): RecordedCall[] {
  const calls: RecordedCall[] = []
  for (const method of methods) {
    const original: unknown = Reflect.get(plugin, method)
    if (typeof original !== 'function') continue
    const value = (...args: unknown[]): unknown => {
      const call: RecordedCall = { method, args }
      calls.push(call)
      return follow(call, () => Reflect.apply(original as Method, plugin, args))
    }
    Object.defineProperty(plugin, method, { value, configurable: true, writable: true })
  }
  return calls
}

function follow(call: RecordedCall, begin: () => unknown): unknown {
  try {
    const answer = begin()
    if (isPromise(answer)) return followPromise(call, answer)
    if (isAsyncIterable(answer)) return followPieces(call, answer)
    call.result = answer
    return answer
  } catch (error) {
    call.error = error
    throw error
  }
}

async function followPromise(call: RecordedCall, answer: Promise<unknown>): Promise<unknown> {
  try {
    call.result = await answer
    return call.result
  } catch (error) {
    call.error = error
    throw error
  }
}

async function* followPieces(call: RecordedCall, answer: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  const pieces: unknown[] = []
  call.result = pieces
  try {
    for await (const piece of answer) {
      pieces.push(piece)
      yield piece
    }
  } catch (error) {
    call.error = error
    throw error
  }
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}
