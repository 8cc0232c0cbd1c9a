import { type AnyPlugin, countCall } from '../contracts/base.js'
import { type Codec, type Issue, issuesText, MethodCodecs } from '../contracts/codec.js'
import type { ContractBinding, ContractDescriptor, MethodDescriptor } from '../contracts/contract.js'
import { toSnakeCase } from '../contracts/names.js'
import { describeThrown, isPluginError, PluginError } from '../errors.js'
import { listed, quoted } from '../quote.js'
import type { IncomingCall } from '../wire/call.js'
import { isInputMarker } from '../wire/protocol.js'
import { creditOf, type OutgoingStream } from '../wire/streams.js'

/** How long a cancelled method may go on before the caller is told that it does not stop. */
const cancelGraceMs = 1000

type Args = Record<string, unknown>

/** Calls a plugin's methods by their wire names: checks the arguments, calls the author's method, completes the result. */
export class Dispatcher {
  readonly #plugin: AnyPlugin
  readonly #binding: ContractBinding
  readonly #codecs: ReadonlyMap<string, MethodCodecs>

  constructor(plugin: AnyPlugin, binding: ContractBinding, descriptor: ContractDescriptor) {
    this.#plugin = plugin
    this.#binding = binding
    this.#codecs = new Map(descriptor.methods.map((method) => [method.wire, new MethodCodecs(method)]))
  }

  /** Calls `wireName` with arguments as they are on the wire; returns the result as it goes on the wire. */
  async call(wireName: unknown, wireArgs: unknown, stream: unknown, call: IncomingCall): Promise<unknown> {
    const codecs = this.#find(wireName)
    const { method } = codecs
    if (stream && method.kind !== 'stream') {
      throw new PluginError('INVALID_PARAMS', `stream: ${method.wire} answers once; call it without "stream"`)
    }
    const args = this.#decodeArgs(codecs, wireArgs, call)
    const outgoing = stream
      ? call.openStream(
          stream === true ? Number.POSITIVE_INFINITY : creditOf((stream as { credit?: unknown }).credit),
        )
      : undefined
    call.cancelGraceMs = cancelGraceMs
    countCall(this.#plugin, 1)
    try {
      const answer = await this.#invoke(method, args, call)
      const finished = this.#finish(codecs, answer, args, outgoing)
      // An await costs a turn of the microtask queue even where there is nothing to wait for.
      const result = finished instanceof Promise ? await finished : finished
      if (call.cancelled) throw call.cancelled
      return result
    } catch (error) {
      throw call.cancelled ?? this.#explain(error, method.wire)
    } finally {
      countCall(this.#plugin, -1)
    }
  }

  /** What goes to the caller for what the author's method returned. */
  #finish(codecs: MethodCodecs, answer: unknown, args: Args, outgoing: OutgoingStream | undefined): unknown {
    const { method } = codecs
    if (method.kind === 'call')
      return encode(codecs.encodeResult, this.#complete(method, answer, args), method)
    const pieces = iterate(answer, method)
    return outgoing
      ? this.#sendPieces(codecs, pieces, args, outgoing)
      : this.#collectPieces(codecs, pieces, args)
  }

  async #collectPieces(codecs: MethodCodecs, pieces: AsyncIterable<unknown>, args: Args): Promise<unknown> {
    const { method } = codecs
    const collected: Args[] = []
    for await (const piece of pieces) collected.push(this.#completePiece(method, piece, args) as Args)
    const aggregate = this.#binding.behaviour[method.name]?.aggregate
    const whole = aggregate ? aggregate(collected, args) : collected
    return encode(codecs.encodeResult, this.#complete(method, whole, args), method)
  }

  async #sendPieces(
    codecs: MethodCodecs,
    pieces: AsyncIterable<unknown>,
    args: Args,
    outgoing: OutgoingStream,
  ): Promise<{ pieces: number }> {
    const { method } = codecs
    for await (const piece of pieces) {
      await outgoing.send(encode(codecs.encodePiece, this.#completePiece(method, piece, args), method))
    }
    return { pieces: outgoing.count }
  }

  #find(wireName: unknown): MethodCodecs {
    const codecs = typeof wireName === 'string' ? this.#codecs.get(wireName) : undefined
    if (codecs && typeof Reflect.get(this.#plugin, codecs.method.name) === 'function') return codecs
    const known = listed([...this.#codecs.keys()])
    const reason = codecs
      ? `has not implemented ${wireName}`
      : `has no method ${quoted(wireName)}; its contract has ${known}`
    throw new PluginError('METHOD_NOT_FOUND', `${this.#plugin.name} ${reason}`)
  }

  #decodeArgs(codecs: MethodCodecs, wireArgs: unknown, call: IncomingCall): Args {
    const { method, inputName } = codecs
    const args = (wireArgs ?? {}) as Args
    const streamed = inputName !== undefined && isInputMarker(args[inputName])
    const { value, issues } = streamed
      ? codecs.decodeArgsWithoutInput({ ...args, [inputName]: undefined })
      : codecs.decodeArgs(args)
    if (issues.length > 0) throw invalidArguments(this.#plugin.name, method.wire, issues)
    const checked = this.#checkWithOwnSchema(method, value as Args, streamed)
    if (streamed && method.input) return { ...checked, [method.input]: decodeInput(codecs, call.input) }
    if (method.input && checked[method.input] instanceof Uint8Array) {
      return { ...checked, [method.input]: once(checked[method.input]) }
    }
    return checked
  }

  /** A contract defined in code may check and transform more than its JSON Schema tells. */
  #checkWithOwnSchema(method: MethodDescriptor, args: Args, streamed: boolean): Args {
    const schema = streamed ? undefined : this.#binding.argumentSchemas?.[method.name]
    if (!schema) return args
    const parsed = schema.safeParse(args)
    if (parsed.success) return parsed.data as Args
    const issues = parsed.error.issues.map(({ path, message }) => ({
      path: path.map((part) => toSnakeCase(String(part))).join('.'),
      message,
    }))
    throw invalidArguments(this.#plugin.name, method.wire, issues)
  }

  #invoke(method: MethodDescriptor, args: Args, call: IncomingCall): unknown {
    const implementation = Reflect.get(this.#plugin, method.name) as (...args: unknown[]) => unknown
    return Reflect.apply(implementation, this.#plugin, argumentList(method, args, call))
  }

  #complete(method: MethodDescriptor, answer: unknown, args: Args): unknown {
    const normalise = this.#binding.behaviour[method.name]?.normalise
    const result = answer === null && normalise ? {} : wrapBare(method, answer)
    return normalise ? normalise(result as Args, args) : result
  }

  #completePiece(method: MethodDescriptor, piece: unknown, args: Args): unknown {
    const result = wrapBare(method, piece)
    const normalise = this.#binding.behaviour[method.name]?.normalisePiece
    return normalise ? normalise(result as Args, args) : result
  }

  /** An error that the plugin foresaw goes to the caller as it is; of any other, only what is safe to show. */
  #explain(error: unknown, method: string): PluginError {
    if (isPluginError(error)) return error
    console.error(error)
    const { name, message } = describeThrown(error)
    const plugin = this.#plugin.name
    return new PluginError(
      'INTERNAL_ERROR',
      `${plugin}: ${method} failed: ${message} (the stack is in the log of ${plugin})`,
      { plugin, method, error: name },
    )
  }
}

const callSymbol = Symbol('call')

interface WithCall {
  readonly [callSymbol]: IncomingCall
}

/** The signal is made when it is first read: most methods never do. One getter for all, or V8 makes a hidden class for each call. */
const signalProperty = {
  enumerable: true,
  configurable: true,
  get(this: WithCall): AbortSignal {
    return this[callSymbol].signal
  },
}

/** By position, then the options; or, without positions, one object and the context. */
function argumentList({ parameters }: MethodDescriptor, args: Args, call: IncomingCall): unknown[] {
  const options: Args & WithCall = { [callSymbol]: call }
  Object.defineProperty(options, 'signal', signalProperty)
  if (!parameters) return [args, options]
  for (const key in args) if (!parameters.includes(key)) options[key] = args[key]
  return [...parameters.map((name) => args[name]), options]
}

function wrapBare({ bare }: MethodDescriptor, answer: unknown): unknown {
  const isBare = typeof answer !== 'object' || answer === null || answer instanceof Uint8Array
  return bare && isBare ? { [bare]: answer } : answer
}

function encode(codec: Codec, result: unknown, { wire }: MethodDescriptor): unknown {
  const { value, issues } = codec(result)
  if (issues.length === 0) return value
  throw new TypeError(`${wire} returned what its contract does not allow: ${issuesText(issues)}`)
}

function iterate(answer: unknown, { wire }: MethodDescriptor): AsyncIterable<unknown> {
  const iterable =
    typeof answer === 'object' &&
    answer !== null &&
    (Symbol.asyncIterator in answer || Symbol.iterator in answer)
  if (iterable) return answer as AsyncIterable<unknown>
  throw new TypeError(`${wire} must return an AsyncIterable (an async generator does)`)
}

async function* decodeInput(codecs: MethodCodecs, input: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  for await (const item of input) {
    const { value, issues } = codecs.decodeInput(item)
    if (issues.length > 0)
      throw new PluginError('INVALID_PARAMS', `${codecs.inputName}: ${issuesText(issues)}`)
    yield value
  }
}

async function* once(value: unknown): AsyncGenerator<unknown> {
  yield value
}

function invalidArguments(plugin: string, method: string, issues: readonly Issue[]): PluginError {
  return new PluginError('INVALID_PARAMS', `${plugin}: ${method}: ${issuesText(issues)}`, {
    plugin,
    method,
    issues,
  })
}
