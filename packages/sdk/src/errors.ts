import { isMap, isSet } from 'node:util/types'
import type { PluginErrorOf } from './error-data.js'

/** One row of the error table: a number on the wire, a name in code, and what a person should know about it. */
export interface ErrorRow {
  /** The number on the wire. */
  readonly code: number
  /** What `codeName` of a PluginError is. */
  readonly name: string
  /** What happened. */
  readonly description: string
  /** What to do next. */
  readonly advice: string
}

/**
 * Every error code of App Factory. `ErrorCodes`, `config/error_codes.yaml` and the table in the documentation
 * are made from it: to add a code, add a row.
 */
export const errorTable = [
  row(-32700, 'PARSE_ERROR', 'A line is not JSON.', 'Send one JSON-RPC 2.0 message a line, in UTF-8.'),
  row(
    -32600,
    'INVALID_REQUEST',
    'The JSON is not a JSON-RPC 2.0 request.',
    'Check "jsonrpc", "method", "params" and "id".',
  ),
  row(-32601, 'METHOD_NOT_FOUND', 'No such method.', 'Call plugin/describe for the methods of a plugin.'),
  row(
    -32602,
    'INVALID_PARAMS',
    'A parameter is missing, unknown or of the wrong type.',
    'Correct the parameter that the message names.',
  ),
  row(-32603, 'INTERNAL_ERROR', 'Unexpected error.', 'See the plugin’s log for the stack trace.'),
  row(
    -32000,
    'PLUGIN_NOT_FOUND',
    'No plugin has that name.',
    'Call plugin/list for the names. Check the plugins folder.',
  ),
  row(-32001, 'PLUGIN_NOT_READY', 'The plugin is not loaded, or is stopping.', 'Load it first.'),
  row(
    -32002,
    'PLUGIN_LOAD_FAILED',
    'The plugin could not be started.',
    'See the message and the plugin’s log.',
  ),
  row(
    -32003,
    'PLUGIN_INITIALIZE_FAILED',
    'initialize() failed, returned false or took too long.',
    'Check the configuration and the plugin’s log.',
  ),
  row(
    -32004,
    'PLUGIN_SHUTDOWN_FAILED',
    'shutdown() failed; the process was stopped anyway.',
    'See the plugin’s log.',
  ),
  row(-32005, 'PLUGIN_ALREADY_LOADED', 'The plugin is already loaded.', 'Unload it first, or swap it.'),
  row(
    -32010,
    'CONTRACT_MISMATCH',
    'The class does not implement the contract that the manifest names.',
    'Extend that contract and export the class as default.',
  ),
  row(
    -32011,
    'CONTRACT_NOT_FOUND',
    'No loaded plugin provides that contract.',
    'Load a plugin of that contract.',
  ),
  row(
    -32012,
    'MANIFEST_INVALID',
    'manifest.json breaks a rule.',
    'Run appfactory-host validate on the folder.',
  ),
  row(-32013, 'MANIFEST_MISSING', 'The folder has no manifest.json.', 'Add a manifest.json.'),
  row(
    -32014,
    'CONFIG_INVALID',
    'The configuration breaks the plugin’s schema.',
    'Correct the paths that the message names.',
  ),
  row(
    -32020,
    'HOTSWAP_FAILED',
    'The swap failed; the old plugin goes on serving.',
    'Fix the new plugin at the step that the message names, and swap again.',
  ),
  row(
    -32021,
    'HOTSWAP_ROLLBACK_FAILED',
    'The swap failed after the switch and could not be undone.',
    'Wait for the restart of the new plugin, or swap again.',
  ),
  row(
    -32030,
    'DISCOVERY_FAILED',
    'A plugins folder could not be read.',
    'Check the path and its permissions.',
  ),
  row(
    -32040,
    'HEALTH_CHECK_TIMEOUT',
    'The plugin did not answer a health check in time.',
    'Look for code that blocks its event loop.',
  ),
  row(
    -32041,
    'CALL_TIMEOUT',
    'A call took longer than its timeout and was cancelled.',
    'Give a longer timeout, or a smaller request.',
  ),
  row(
    -32042,
    'PLUGIN_CRASHED',
    'The plugin’s process exited during the call.',
    'Try again. See data.stderr and the plugin’s log.',
  ),
  row(
    -32043,
    'PLUGIN_QUARANTINED',
    'The plugin crashed too often; it is retried after a delay.',
    'Fix it, then swap it for itself, or unload and load it.',
  ),
  row(-32050, 'RESOURCE_EXHAUSTED', 'A limit was reached.', 'Send less at a time, or raise the limit.'),
  row(
    -32051,
    'DEPENDENCY_MISSING',
    'The plugin needs packages that are missing.',
    'Run the command in the message, or use --auto-install-deps.',
  ),
  row(-32052, 'MODEL_NOT_FOUND', 'A model file is missing.', 'Check the path in the configuration.'),
  row(
    -32053,
    'MESSAGE_TOO_LARGE',
    'A message is longer than the limit.',
    'Send it in pieces, or raise the limit.',
  ),
  row(
    -32060,
    'PROTOCOL_VERSION_UNSUPPORTED',
    'Host and plugin have no protocol version in common.',
    'Update the older of the two.',
  ),
  row(
    -32070,
    'CALL_FORBIDDEN',
    'The caller has no right to do that.',
    'Use a connection that has the right, or ask who runs the host.',
  ),
  row(-32800, 'REQUEST_CANCELLED', 'The caller cancelled the request.', 'Nothing: the caller asked for it.'),
  row(1000, 'TTS_SYNTHESIS_FAILED', 'The speech synthesis failed.', 'See the message.'),
  row(1001, 'TTS_VOICE_NOT_FOUND', 'No voice has that id.', 'Call get_voices for the ids.'),
  row(1002, 'TTS_TEXT_TOO_LONG', 'The text is too long.', 'Send it in parts.'),
  row(1100, 'STT_TRANSCRIPTION_FAILED', 'The audio could not be transcribed.', 'See the message.'),
  row(
    1101,
    'STT_AUDIO_INVALID',
    'The plugin does not support the format of the audio.',
    'Send WAV, or a format that the message names.',
  ),
  row(
    1102,
    'STT_LANGUAGE_NOT_SUPPORTED',
    'The plugin does not support that language.',
    'Call get_languages for the codes.',
  ),
  row(1200, 'LLM_COMPLETION_FAILED', 'The model could not answer.', 'See the message.'),
  row(1201, 'LLM_MODEL_NOT_AVAILABLE', 'That model is not available.', 'Call get_models for the ids.'),
  row(1202, 'LLM_CONTEXT_TOO_LONG', 'The prompt does not fit the model’s context.', 'Send a shorter prompt.'),
  row(1203, 'LLM_RATE_LIMITED', 'The provider asks to slow down.', 'Try again later.'),
] as const

type Row = (typeof errorTable)[number]

/** The name of an error code, such as `TTS_TEXT_TOO_LONG`. */
export type ErrorName = Row['name']

/** Error codes by name: `ErrorCodes.TTS_TEXT_TOO_LONG === 1002`. */
export const ErrorCodes = Object.fromEntries(errorTable.map(({ name, code }) => [name, code])) as {
  readonly [Name in ErrorName]: Extract<Row, { name: Name }>['code']
}

const rowsByCode = new Map<number, ErrorRow>(errorTable.map((entry) => [entry.code, entry]))

/** Registered, so that errors made by another copy of the SDK are recognised. */
const pluginErrorMark = Symbol.for('appfactory.PluginError')

/**
 * An error with a code that reaches the caller as it is.
 *
 * @example
 * throw new PluginError('TTS_TEXT_TOO_LONG', 'Text exceeds maximum length', { limit: 10_000 })
 */
export class PluginError extends Error {
  /** Always `PluginError`. */
  override readonly name = 'PluginError'
  /** The number on the wire, such as 1002. */
  readonly code: number
  /** The name of the code; undefined for a code of the author's own. A property of the error itself, so that Node prints it. */
  readonly codeName: ErrorName | undefined
  /** JSON that tells the caller more. */
  readonly data: unknown

  constructor(code: number | ErrorName, message?: string, data?: unknown, options?: ErrorOptions) {
    const number = typeof code === 'number' ? code : ErrorCodes[code]
    if (!Number.isSafeInteger(number)) {
      throw new TypeError(
        `A PluginError needs an integer code or a name from ErrorCodes, not ${String(code)}`,
      )
    }
    super(message ?? rowsByCode.get(number)?.description ?? `Error ${number}`, options)
    this.code = number
    this.codeName = errorName(number)
    this.data = data
    Object.defineProperty(this, pluginErrorMark, { value: true })
  }
}

/** The name of `code`, or undefined for a code that is not in the table. */
export function errorName(code: number): ErrorName | undefined {
  return rowsByCode.get(code)?.name as ErrorName | undefined
}

/**
 * Whether `error` is a PluginError, made by this copy of the SDK or another one, and of the code `name` where one is given.
 *
 * @example if (isPluginError(error, 'CALL_TIMEOUT')) console.log(error.data?.timeout_ms)
 */
export function isPluginError(error: unknown): error is PluginError
export function isPluginError<Name extends ErrorName>(
  error: unknown,
  name: Name,
): error is PluginErrorOf<Name>
export function isPluginError(error: unknown, name?: ErrorName): boolean {
  if (read(error, pluginErrorMark) !== true) return false
  // As the callback of an array's method, it gets an index here.
  return typeof name !== 'string' || read(error, 'code') === ErrorCodes[name]
}

/** The `error` member of a JSON-RPC response. */
export interface ErrorObject {
  /** Such as 1002. */
  code: number
  /** What happened, and what to do next. */
  message: string
  /** What tells the caller more. */
  data?: unknown
}

/** What goes on the wire for `error`; one that nobody foresaw becomes INTERNAL_ERROR without its stack. */
export function toErrorObject(error: unknown): ErrorObject {
  if (isPluginError(error)) {
    // Code that is not type-checked may have put anything in their place.
    const [code, message, data] = ['code', 'message', 'data'].map((key) => read(error, key))
    return {
      code: Number.isSafeInteger(code) ? Number(code) : ErrorCodes.INTERNAL_ERROR,
      message: typeof message === 'string' ? message : describeThrown(error).message,
      ...(data === undefined ? {} : { data: toJson(data) }),
    }
  }
  const { name, message } = describeThrown(error)
  return { code: ErrorCodes.INTERNAL_ERROR, message: `Internal error: ${message}`, data: { error: name } }
}

/** How deep causes and data are followed. */
const maxDepth = 20

/** Of several errors in one, how many are named. */
const maxErrorsNamed = 3

/** How many errors are named in all: each of those in one may have several of its own. */
const maxNamed = 50

/** Most values that a copy holds: objects that share others hold far more of them than memory does. */
const maxValues = 100_000

/** Longest text made of an object without a message, in characters. */
const maxObjectText = 300

/**
 * The name and message of whatever was thrown, of any realm, with those of its causes, even where looking at it throws
 * again.
 */
export function describeThrown(error: unknown): { name: string; message: string } {
  return { name: nameOf(error), message: wordsOf(error, [], { left: maxNamed }) }
}

function nameOf(error: unknown): string {
  const name = read(error, 'name')
  return typeof name === 'string' && name !== '' ? name : 'Error'
}

/** What there is room for. */
interface Room {
  left: number
}

/** @param parents The errors that have it as their cause: a circle ends there. */
function wordsOf(thrown: unknown, parents: readonly unknown[], room: Room): string {
  if (!isObject(thrown)) return thrown === '' ? 'an empty text' : String(thrown)
  room.left -= 1
  const isLast = parents.length >= maxDepth || room.left <= 0
  const inner = isLast ? [] : innerErrors(thrown).filter((error) => !parents.includes(error))
  const further = inner.slice(0, maxErrorsNamed).map((error) => wordsOf(error, [...parents, thrown], room))
  const left = inner.length - maxErrorsNamed
  const causes = left > 0 ? `${further.join('; ')}; and ${left} more` : further.join('; ')
  const own = ownWords(thrown, causes !== '')
  if (causes === '' || own.includes(causes)) return own
  return own === '' ? causes : `${own}: ${causes}`
}

/** The cause of an error, or the errors that an AggregateError holds. */
function innerErrors(error: object): unknown[] {
  const cause = read(error, 'cause')
  const several = itemsOf(read(error, 'errors'))
  return [...new Set([...(cause === undefined || cause === null ? [] : [cause]), ...several])]
}

/** The items of an array; none where it is none, or can't be read. */
function itemsOf(value: unknown): unknown[] {
  try {
    return Array.isArray(value) ? [...value] : []
  } catch {
    return []
  }
}

/** What it says itself; nothing where it is an error without a message, and its causes say more. */
function ownWords(thrown: object, hasCauses: boolean): string {
  const message = read(thrown, 'message')
  const code = read(thrown, 'code')
  const isError = typeof read(thrown, 'stack') === 'string'
  if (typeof message === 'string' && message !== '')
    return isError || !isShort(code) || message.includes(String(code)) ? message : `${message} (code ${code})`
  if (hasCauses) return ''
  if (isError && isObject(message)) return objectText(message)
  if (isError) return isShort(code) ? String(code) : nameOf(thrown)
  // Clients of HTTP throw what the server said: { error: { message } }.
  const nested = read(thrown, 'error')
  if (typeof nested === 'string') return nested
  if (isObject(nested) && typeof read(nested, 'message') === 'string') return ownWords(nested, false)
  return objectText(thrown)
}

function isShort(code: unknown): code is string | number {
  return typeof code === 'number' || (typeof code === 'string' && code !== '')
}

/** What its own `toString()` says or, where that is nothing but `[object Object]`, what it holds. */
function objectText(thrown: object): string {
  try {
    const text = String(thrown)
    const held = text.startsWith('[object ') ? JSON.stringify(toJson(thrown)) : text
    // Such as `[object Response]`, where it shows nothing of what it holds.
    const told = held === '{}' && text !== '[object Object]' ? text : held
    return told.length > maxObjectText ? `${told.slice(0, maxObjectText)}…` : told
  } catch {
    return `${typeof thrown === 'function' ? 'a function' : 'an object'} that can’t be shown`
  }
}

/**
 * A copy that is JSON: errors, maps and sets keep what they hold, large numbers become text, and what can't be read, goes
 * round in a circle or has no end is told as such in its place. `__proto__` is left out: no message may have it.
 */
function toJson(value: unknown, parents: readonly unknown[] = [], room: Room = { left: maxValues }): unknown {
  room.left -= 1
  if (room.left < 0) return '[cut off]'
  if (typeof value === 'bigint') return String(value)
  if (!isObject(value) || typeof value === 'function') return value
  if (parents.includes(value)) return '[circular]'
  if (parents.length >= maxDepth) return '[too deep]'
  const within = [...parents, value]
  const copy = (item: unknown): unknown => toJson(item, within, room)
  try {
    if (typeof read(value, 'toJSON') === 'function')
      return copy(Reflect.apply(read(value, 'toJSON') as () => unknown, value, []))
    if (Array.isArray(value)) return value.map(copy)
    if (isMap(value)) return [...value].map(copy)
    if (isSet(value)) return [...value].map(copy)
    if (ArrayBuffer.isView(value))
      return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
    const members = Object.entries(value)
      .filter(([key]) => key !== '__proto__')
      .map(([key, item]) => [key, copy(item)])
    const about = typeof read(value, 'stack') === 'string' ? errorMembers(value, copy) : {}
    return { ...about, ...Object.fromEntries(members) }
  } catch (error) {
    return `[can’t be read: ${describeThrown(error).message}]`
  }
}

/** What an error keeps where JSON does not look; its stack stays here. */
function errorMembers(error: object, copy: (item: unknown) => unknown): Record<string, unknown> {
  const { name, message } = { name: read(error, 'name'), message: read(error, 'message') }
  const cause = read(error, 'cause')
  return { name: copy(name), message: copy(message), ...(cause === undefined ? {} : { cause: copy(cause) }) }
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

/** A property of anything; undefined where it has none, or where looking throws. */
export function read(value: unknown, key: string | symbol): unknown {
  try {
    return isObject(value) ? Reflect.get(value, key) : undefined
  } catch {
    return undefined
  }
}

/** The code of an error of the system, such as `ENOENT`, whichever realm made it; undefined where it has none. */
export function systemCodeOf(error: unknown): string | undefined {
  const code = read(error, 'code')
  return typeof code === 'string' ? code : undefined
}

/** The PluginError for an error that came over the wire. */
export function fromErrorObject({ code, message, data }: ErrorObject): PluginError {
  return new PluginError(Number.isSafeInteger(code) ? code : ErrorCodes.INTERNAL_ERROR, String(message), data)
}

function row<const Code extends number, const Name extends string>(
  code: Code,
  name: Name,
  description: string,
  advice: string,
): { readonly code: Code; readonly name: Name; readonly description: string; readonly advice: string } {
  return { code, name, description, advice }
}
