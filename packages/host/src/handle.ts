import {
  type ClientOf,
  type ContractDescriptor,
  type HealthStatus,
  type MethodDescriptor,
  PluginError,
} from '@appfactory/sdk'
import { type Codec, issuesText, MethodCodecs, reservedNames } from '@appfactory/sdk/internal'
import { withBase64InOpen } from './base64.js'
import type { Callee } from './callee.js'
import { noSuchMethod } from './errors.js'
import { PieceStream } from './instance/pieces.js'
import type { Requests } from './metrics/requests.js'
import type { CallOptions, RoutedCallOptions } from './options.js'

/** What every handle has, beside the contract's own methods. */
export interface HandleBase {
  /** The name of the plugin that serves. */
  readonly name: string
  /** The contract's name. */
  readonly contract: string
  /** How the plugin is doing. */
  health(): Promise<HealthStatus>
  /** Unloads the plugin; calls in flight are let finish. */
  unload(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * A loaded plugin, as an application holds it: the methods of its contract, with complete results. It stays the same
 * when the plugin behind it is restarted or replaced.
 */
export type PluginHandle<Contract = unknown> = ClientOf<Contract> & HandleBase

type Record_ = Record<string, unknown>

/** Of what handles were made. */
const parts = new WeakMap<object, Parameters<typeof createHandle>>()

/** The same plugin, where each call has these options as well. */
export function handleWith<Handle extends PluginHandle>(handle: Handle, options: CallOptions): Handle {
  const made = parts.get(handle)
  if (!made) return handle
  const [callee, ...rest] = made
  const bound: Callee = {
    get name() {
      return callee.name
    },
    call: (method, args, given) => callee.call(method, args, { ...given, ...options }),
    stream: (method, args, given) => callee.stream(method, args, { ...given, ...options }),
    health: () => callee.health(),
  }
  return createHandle(bound, ...rest) as Handle
}

/** Makes the handle of a plugin or a fallback, with one function for each method of the contract. */
export function createHandle(
  callee: Callee,
  contract: ContractDescriptor,
  requests: Requests,
  unload: () => Promise<void>,
): PluginHandle {
  const base: HandleBase = {
    get name() {
      return callee.name
    },
    contract: contract.name,
    health: () => callee.health(),
    unload,
    [Symbol.asyncDispose]: unload,
  }
  const methods = contract.methods.map((method) => [
    method.name,
    method.kind === 'stream' ? streamer(callee, method, requests) : caller(callee, method, requests),
  ])
  const handle: PluginHandle = Object.assign(base, Object.fromEntries(methods))
  // Only what the handle does not have is looked for there: its own methods are as fast as without.
  Object.setPrototypeOf(handle, methodsThatThrow(callee, contract))
  parts.set(handle, [callee, contract, requests, unload])
  return handle
}

/** What libraries look for in any object, to learn what it is. */
const notMethods = new Set([...reservedNames, 'catch', 'toJSON', 'asymmetricMatch', 'nodeType', 'tagName'])

/** In place of `handle.chat is not a function`, where a plugin has no such method: an error that tells which there are. */
function methodsThatThrow(callee: Callee, contract: ContractDescriptor): object {
  const known = contract.methods.map(({ name }) => name)
  return new Proxy(Object.prototype, {
    get(target, key, handle): unknown {
      if (typeof key !== 'string' || key in target || notMethods.has(key))
        return Reflect.get(target, key, handle)
      return () => {
        throw noSuchMethod(callee.name, contract.name, key, known)
      }
    },
  })
}

function caller(callee: Callee, method: MethodDescriptor, requests: Requests) {
  const codecs = new MethodCodecs(method, { forCaller: true })
  const call = async (...given: unknown[]): Promise<unknown> => {
    requests.begin()
    try {
      const { args, options } = prepare(given, method, codecs)
      const answer = await callee.call(method.wire, args, options)
      const result = decode(codecs.decodeResult, answer, method, 'the result')
      return method.unwrap ? (result as Record_)[method.unwrap] : result
    } catch (error) {
      return requests.fail(error, call)
    }
  }
  return call
}

function streamer(callee: Callee, method: MethodDescriptor, requests: Requests) {
  const codecs = new MethodCodecs(method, { forCaller: true })
  return (...given: unknown[]): AsyncIterableIterator<unknown> =>
    new PieceStream({
      // Whatever it throws is the end of a stream that has begun.
      open: async () => {
        requests.begin()
        const { args, options } = prepare(given, method, codecs)
        return callee.stream(method.wire, args, options)
      },
      onEnd: requests.end,
      map: (piece) => decode(codecs.decodePiece, piece, method, 'a piece'),
      isOutermost: true,
    })
}

/** Arguments as a caller gives them in TypeScript, to those of the wire and the options that stay here. */
function prepare(
  given: unknown[],
  method: MethodDescriptor,
  codecs: MethodCodecs,
): { args: Record_; options: RoutedCallOptions } {
  const { local, call } = collect(given, method)
  const input = method.input === null ? undefined : local[method.input]
  if (method.input === null || !isAsyncIterable(input)) {
    return { args: convert(codecs.encodeArgs, local, method, 'the arguments') as Record_, options: call }
  }
  const { [method.input]: _streamed, ...rest } = local
  const args = convert(codecs.encodeArgsWithoutInput, rest, method, 'the arguments') as Record_
  return {
    args,
    options: { ...call, input: { name: codecs.inputName ?? '', items: encodeItems(input, codecs, method) } },
  }
}

/** By position, then the options; or one object and the options. `signal`, `timeoutMs`, `retry` and `fallback` never go on the wire. */
function collect(
  given: unknown[],
  { parameters, args }: MethodDescriptor,
): { local: Record_; call: CallOptions } {
  const options = given[parameters ? parameters.length : 1] as (Record_ & CallOptions) | undefined
  const { signal, timeoutMs, retry, ...local } = options ?? {}
  const call: CallOptions = { signal, timeoutMs, retry }
  // A contract of an author’s own may have an argument of that name.
  if (options?.fallback !== undefined && !Object.hasOwn(Object(args['properties']), 'fallback')) {
    call.fallback = options.fallback
    delete local['fallback']
  }
  if (!parameters) return { local: { ...(given[0] as Record_ | undefined) }, call }
  for (const [index, name] of parameters.entries()) local[name] = given[index]
  return { local, call }
}

async function* encodeItems(
  items: AsyncIterable<unknown>,
  codecs: MethodCodecs,
  method: MethodDescriptor,
): AsyncGenerator<unknown> {
  for await (const item of items)
    yield convert(codecs.encodeInput, item, method, codecs.inputName ?? 'the input')
}

/** Large bytes must not be told from small ones where the schema says nothing of them. */
function decode(codec: Codec, value: unknown, method: MethodDescriptor, what: string): unknown {
  return withBase64InOpen(convert(codec, value, method, what), value)
}

function convert(codec: Codec, value: unknown, { name }: MethodDescriptor, what: string): unknown {
  const { value: converted, issues } = codec(value)
  if (issues.length === 0) return converted
  throw new PluginError('INVALID_PARAMS', `${name}: ${what}: ${issuesText(issues)}`, { method: name, issues })
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}
