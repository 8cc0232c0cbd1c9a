import { tracingChannel } from 'node:diagnostics_channel'
import { isPromise, isUint8Array } from 'node:util/types'
import type { z } from 'zod'
import type { Codec } from '../codec/compile.js'
import { firstIssues, type Issue, issuesText, maxIssues } from '../codec/issues.js'
import { MethodCodecs } from '../codec/method-codecs.js'
import { type AnyPlugin, countCall } from '../contracts/base.js'
import type { ContractBinding } from '../contracts/contract.js'
import type { ContractDescriptor, MethodDescriptor } from '../descriptor.js'
import { describeThrown, isPluginError, PluginError } from '../errors.js'
import { listed, quoted } from '../quote.js'
import { type TraceContext, traceContextOf, withTrace } from '../trace-context.js'
import { type Trace, Traced } from '../traced.js'
import type { IncomingCall } from '../wire/call.js'
import { isInputMarker } from '../wire/protocol.js'
import { creditOf, type OutgoingStream } from '../wire/streams.js'
import { toSnakeCase } from '../wire-names.js'
import { logThrown } from './log-thrown.js'

/** How long a cancelled method may continue before its call is answered as still working. */
const cancelGraceMs = 1000

type Args = Record<string, unknown>

/** A call of a method in the plugin's process, on the tracing channel `appfactory.method`. */
interface MethodTrace extends Trace {
  readonly plugin: string
  readonly version: string
  /** Wire name. */
  readonly method: string
  readonly contract: string
  readonly kind: 'call' | 'stream'
}

const methodChannel = tracingChannel<object, MethodTrace>('appfactory.method')

/** Calls a plugin's methods by their wire names: checks the arguments, calls the author's method, completes the result. */
export class Dispatcher {
  readonly #plugin: AnyPlugin
  readonly #binding: ContractBinding
  readonly #codecs: ReadonlyMap<string, MethodCodecs>

  constructor(plugin: AnyPlugin, binding: ContractBinding, descriptor: ContractDescriptor) {
    this.#plugin = plugin
    this.#binding = binding
    const checked = binding.resultSchemas !== undefined
    this.#codecs = new Map(
      descriptor.methods.map((method) => [method.wire, new MethodCodecs(method, { checked })]),
    )
  }

  /** Calls `wireName` with arguments as they are on the wire; returns the result as it goes on the wire. */
  call(
    wireName: unknown,
    wireArgs: unknown,
    stream: unknown,
    call: IncomingCall,
    trace?: TraceContext,
  ): Promise<unknown> {
    const { hasSubscribers } = methodChannel
    if (!hasSubscribers && !trace) return this.#call(wireName, wireArgs, stream, call)
    const work = (): Promise<unknown> => this.#call(wireName, wireArgs, stream, call)
    if (!hasSubscribers) return withTrace(trace ?? {}, work)
    const traced = new Traced(methodChannel, this.#traceOf(String(wireName), stream, trace))
    return traced.run(() => withTrace(traced.trace.context ?? {}, work))
  }

  #traceOf(method: string, stream: unknown, given: TraceContext | undefined): MethodTrace {
    const { name: plugin, version } = this.#plugin
    const parent = given && traceContextOf(given)
    return {
      ...{ plugin, version, method, contract: this.#binding.name, kind: stream ? 'stream' : 'call' },
      ...(parent ? { parent, context: parent } : {}),
    }
  }

  async #call(wireName: unknown, wireArgs: unknown, stream: unknown, call: IncomingCall): Promise<unknown> {
    const codecs = this.#find(wireName)
    const { method } = codecs
    if (stream && method.kind !== 'stream') {
      throw new PluginError('INVALID_PARAMS', `stream: ${method.wire} answers once; call it without "stream"`)
    }
    const outgoing = stream
      ? call.openStream(
          stream === true ? Number.POSITIVE_INFINITY : creditOf((stream as { credit?: unknown }).credit),
        )
      : undefined
    call.cancelGraceMs = cancelGraceMs
    countCall(this.#plugin, 1)
    try {
      const decoded = this.#decodeArgs(codecs, wireArgs, call)
      const args = isPromise(decoded) ? await decoded : decoded
      const answer = await this.#invoke(method, args, call)
      const finished = this.#finish(codecs, answer, args, outgoing)
      // Even an await of nothing costs a turn of the microtask queue.
      const result = isPromise(finished) ? await finished : finished
      if (!call.cancelled) return result
      await this.#closeSession(method, result)
      throw call.cancelled
    } catch (error) {
      throw call.cancelled ?? this.#explain(error, method.wire)
    } finally {
      countCall(this.#plugin, -1)
    }
  }

  /** A session that was opened for nobody: no caller knows it, so no caller can end it. */
  async #closeSession({ session }: MethodDescriptor, result: unknown): Promise<void> {
    if (session !== 'open') return
    const close = [...this.#codecs.values()].find(({ method }) => method.session === 'close')
    if (!close || typeof Reflect.get(this.#plugin, close.method.name) !== 'function') return
    try {
      const { session_id: id } = Object(result)
      const { value } = close.decodeArgs({ session_id: id })
      await this.#invoke(close.method, value as Args, { signal: new AbortController().signal })
    } catch (error) {
      logThrown(error)
    }
  }

  /** Converts the return value of the author's method for the caller. */
  #finish(codecs: MethodCodecs, answer: unknown, args: Args, outgoing: OutgoingStream | undefined): unknown {
    if (codecs.method.kind === 'call') return this.#encodeResult(codecs, answer, args)
    const pieces = iterate(answer, codecs.method)
    return outgoing
      ? this.#sendPieces(codecs, pieces, args, outgoing)
      : this.#collectPieces(codecs, pieces, args)
  }

  async #collectPieces(codecs: MethodCodecs, pieces: AsyncIterable<unknown>, args: Args): Promise<unknown> {
    const { method } = codecs
    const aggregate = this.#binding.behaviour[method.name]?.aggregate
    const collected: Args[] = []
    for await (const piece of pieces) {
      const complete = this.#completePiece(method, piece, args)
      collected.push(
        (aggregate
          ? await this.#checkPiece(method, complete)
          : await this.#listPiece(method, complete)) as Args,
      )
    }
    return this.#encodeResult(codecs, aggregate ? aggregate(collected, args) : collected, args)
  }

  /** Parses a result with the schema of a contract defined in code. */
  #encodeResult(codecs: MethodCodecs, answer: unknown, args: Args): unknown {
    const { method } = codecs
    const complete = this.#complete(method, answer, args)
    const schema = this.#binding.resultSchemas?.[method.name]
    if (!schema) return encode(codecs.encodeResult, complete, method)
    const checked = checkAnswer(schema, complete, method)
    return isPromise(checked)
      ? checked.then((result) => encode(codecs.encodeResult, result, method))
      : encode(codecs.encodeResult, checked, method)
  }

  async #sendPieces(
    codecs: MethodCodecs,
    pieces: AsyncIterable<unknown>,
    args: Args,
    outgoing: OutgoingStream,
  ): Promise<{ pieces: number }> {
    const { method } = codecs
    for await (const piece of pieces) {
      const checked = this.#checkPiece(method, this.#completePiece(method, piece, args))
      const value = isPromise(checked) ? await checked : checked
      await outgoing.send(encode(codecs.encodePiece, value, method))
    }
    return { pieces: outgoing.count }
  }

  #checkPiece(method: MethodDescriptor, piece: unknown): unknown {
    const schema = this.#binding.pieceSchemas?.[method.name]
    return schema ? checkAnswer(schema, piece, method) : piece
  }

  /** A piece for a result that is the list of them, which the result's own schema judges: none passes one schema twice. */
  async #listPiece(method: MethodDescriptor, piece: unknown): Promise<unknown> {
    const schema = this.#binding.pieceSchemas?.[method.name]
    if (!schema || itemSchema(this.#binding.resultSchemas?.[method.name]) === schema) return piece
    const { success, data } = await parse(schema, piece)
    return success ? data : piece
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

  #decodeArgs(codecs: MethodCodecs, wireArgs: unknown, call: IncomingCall): Args | Promise<Args> {
    const { method, inputName } = codecs
    const args = (wireArgs ?? {}) as Args
    const streamed = inputName !== undefined && isInputMarker(args[inputName])
    const { value, issues } = streamed
      ? codecs.decodeArgsWithoutInput({ ...args, [inputName]: undefined })
      : codecs.decodeArgs(args)
    if (issues.length > 0) throw invalidArguments(this.#plugin.name, method.wire, issues)
    if (streamed && method.input)
      return { ...this.#prepare(method, value as Args), [method.input]: decodeInput(codecs, call.input) }
    const schema = this.#binding.argumentSchemas?.[method.name]
    const parsed = schema && parse(schema, value)
    if (!parsed) return this.#prepare(method, value as Args)
    return isPromise(parsed)
      ? parsed.then((result) => this.#takeArgs(method, result))
      : this.#takeArgs(method, parsed)
  }

  /** A contract defined in code may check and transform more than its JSON Schema can express. */
  #takeArgs(method: MethodDescriptor, { success, data, error }: Parsed): Args {
    if (success) return this.#prepare(method, data as Args)
    throw invalidArguments(this.#plugin.name, method.wire, issuesOf(error, toSnakeCase))
  }

  /** The arguments as this plugin takes them. */
  #prepare(method: MethodDescriptor, args: Args): Args {
    const prepare = this.#binding.behaviour[method.name]?.prepare
    const prepared = prepare ? prepare(args, this.#plugin.manifest) : args
    if (method.input && isUint8Array(prepared[method.input]))
      return { ...prepared, [method.input]: once(prepared[method.input]) }
    return prepared
  }

  #invoke(method: MethodDescriptor, args: Args, call: Pick<IncomingCall, 'signal'>): unknown {
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

  /** A PluginError reaches the caller unchanged; of any other error, only the safe parts. */
  #explain(error: unknown, method: string): PluginError {
    if (isPluginError(error)) {
      // Its cause stays here, so it is in the log or nowhere.
      if (error.cause !== undefined) logThrown(error)
      return error
    }
    logThrown(error)
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
  readonly [callSymbol]: Pick<IncomingCall, 'signal'>
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
function argumentList(
  { parameters }: MethodDescriptor,
  args: Args,
  call: Pick<IncomingCall, 'signal'>,
): unknown[] {
  const options: Args & WithCall = { [callSymbol]: call }
  Object.defineProperty(options, 'signal', signalProperty)
  if (!parameters) return [args, options]
  for (const key in args) if (!parameters.includes(key)) options[key] = args[key]
  return [...parameters.map((name) => args[name]), options]
}

/** The used part of `safeParse()`'s result. */
interface Parsed {
  success: boolean
  data?: unknown
  error?: z.ZodError | undefined
}

/** Schemas of asynchronous refinements or transforms, which `safeParse()` throws at. */
const asynchronous = new WeakSet<z.ZodType>()

function parse(schema: z.ZodType, value: unknown): Parsed | Promise<Parsed> {
  if (asynchronous.has(schema)) return schema.safeParseAsync(value)
  try {
    return schema.safeParse(value)
  } catch {
    // Errors that do not come from asynchronous parsing are thrown again.
    asynchronous.add(schema)
    return schema.safeParseAsync(value)
  }
}

function issuesOf(error: z.ZodError | undefined, nameOf: (key: string) => string): Issue[] {
  const all = error?.issues ?? []
  const first = all.slice(0, maxIssues).map(({ path, message }) => ({
    path: path.map((part) => nameOf(String(part))).join('.'),
    message,
  }))
  return firstIssues(first, all.length)
}

/** Parses an answer with the author's schema. */
function checkAnswer(schema: z.ZodType, answer: unknown, method: MethodDescriptor): unknown {
  const take = ({ success, data, error }: Parsed) => {
    if (success) return data
    throw notAllowed(
      method,
      issuesOf(error, (key) => key),
    )
  }
  const parsed = parse(schema, answer)
  return isPromise(parsed) ? parsed.then(take) : take(parsed)
}

/** The schema of a list's items. */
function itemSchema(schema: z.ZodType | undefined): unknown {
  const def = schema?._zod.def as { type?: string; element?: unknown } | undefined
  return def?.type === 'array' ? def.element : undefined
}

function wrapBare({ bare }: MethodDescriptor, answer: unknown): unknown {
  const isBare =
    typeof answer !== 'object' || answer === null || isUint8Array(answer) || Array.isArray(answer)
  return bare && isBare ? { [bare]: answer } : answer
}

function encode(codec: Codec, result: unknown, method: MethodDescriptor): unknown {
  const { value, issues } = codec(result)
  if (issues.length === 0) return value
  throw notAllowed(method, issues)
}

function notAllowed({ wire }: MethodDescriptor, issues: readonly Issue[]): TypeError {
  return new TypeError(`${wire} returned what its contract does not allow: ${issuesText(issues)}`)
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
