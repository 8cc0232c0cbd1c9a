import { type ErrorName, isPluginError, type PluginError } from '@appfactory/sdk'
import { describeThrown, isAnswer } from '@appfactory/sdk/internal'

/** An answer that is an error, as OpenAI's clients read it. */
export interface Failure {
  /** Of HTTP. */
  status: number
  message: string
  /** The class of the error: invalid_request_error, rate_limit_error or server_error. */
  type: string
  /** The member of the request that is wrong. */
  param: string | null
  code: string | null
  headers: Readonly<Record<string, string>>
}

/** The body of an error, with all four keys: clients look at each of them. */
export function errorBody({ message, type, param, code }: Failure): { error: object } {
  return { error: { message, type, param, code } }
}

type Details = Partial<Pick<Failure, 'type' | 'param' | 'code' | 'headers'>>

/** A request that the gateway itself refuses. */
export class RequestError extends Error implements Failure {
  override readonly name = 'RequestError'
  readonly status: number
  readonly type: string
  readonly param: string | null
  readonly code: string | null
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, message: string, details: Details = {}) {
    super(message)
    this.status = status
    this.type = details.type ?? typeOf(status)
    this.param = details.param ?? null
    this.code = details.code ?? null
    this.headers = details.headers ?? {}
  }
}

/** A member of the request that has a wrong value. @param reason What it must be: `must be a string, not 7`. */
export function wrongMember(param: string, reason: string): RequestError {
  return new RequestError(400, `${param}: ${reason}`, { param, code: 'invalid_value' })
}

/** A member that asks for what no plugin can do. @param reason Whose subject is the member. */
export function unsupported(param: string, reason: string): RequestError {
  return new RequestError(400, `${param}: ${reason}`, { param, code: 'unsupported_parameter' })
}

export function modelNotFound(model: string): RequestError {
  const shown = JSON.stringify(model.length > 100 ? `${model.slice(0, 100)}…` : model)
  return new RequestError(
    404,
    `The model ${shown} does not exist, or its plugin is not loaded. GET /v1/models lists those that there are`,
    { param: 'model', code: 'model_not_found' },
  )
}

/** A gateway that ends refuses what comes, and ends what is under way. */
export function gatewayClosing(): RequestError {
  return new RequestError(503, 'The gateway is being stopped. Try again', {
    code: 'gateway_closing',
    headers: { 'retry-after': '1' },
  })
}

/** How an error of a plugin is answered. */
interface Answer {
  status: number
  code?: string
  /** When to try again, in seconds. */
  retryAfter?: (data: unknown) => number
  headers?: Readonly<Record<string, string>>
}

const soon = (): number => 1
const noRetry = { 'x-should-retry': 'false' }

/** Errors that are no failures of the server, or that say when to try again. All others are 500. */
const answers: Partial<Record<ErrorName, Answer>> = {
  INVALID_PARAMS: { status: 400, code: 'invalid_value' },
  TTS_VOICE_NOT_FOUND: { status: 400, code: 'voice_not_found' },
  TTS_TEXT_TOO_LONG: { status: 400, code: 'string_above_max_length' },
  STT_AUDIO_INVALID: { status: 400, code: 'invalid_audio' },
  STT_LANGUAGE_NOT_SUPPORTED: { status: 400, code: 'unsupported_language' },
  LLM_CONTEXT_TOO_LONG: { status: 400, code: 'context_length_exceeded' },
  PLUGIN_NOT_FOUND: { status: 404, code: 'model_not_found' },
  CONTRACT_NOT_FOUND: { status: 404, code: 'model_not_found' },
  LLM_MODEL_NOT_AVAILABLE: { status: 404, code: 'model_not_found' },
  MESSAGE_TOO_LARGE: { status: 413, code: 'request_too_large' },
  LLM_RATE_LIMITED: { status: 429, code: 'rate_limit_exceeded', retryAfter: soon },
  RESOURCE_EXHAUSTED: { status: 429, code: 'rate_limit_exceeded', retryAfter: soon },
  PLUGIN_CRASHED: { status: 502, code: 'plugin_crashed' },
  PLUGIN_NOT_READY: { status: 503, code: 'plugin_not_ready', retryAfter: soon },
  PLUGIN_QUARANTINED: { status: 503, code: 'plugin_quarantined', retryAfter: quarantineSeconds },
  CALL_TIMEOUT: { status: 504, code: 'timeout', headers: noRetry },
  METHOD_NOT_FOUND: { status: 501, code: 'unsupported_operation', headers: noRetry },
}

/** Members of the API by what the contracts call them. */
const openaiMembers: Readonly<Record<string, string>> = {
  stop_sequences: 'stop',
  text: 'input',
  texts: 'input',
  prompt: 'prompt',
  voice_id: 'voice',
  format: 'response_format',
  audio_b64: 'file',
}

/** Where members stand in the body of a route, by where they stand in the contract. */
const places: Readonly<Record<string, readonly (readonly [contract: RegExp, api: string])[]>> = {
  '/chat/completions': [
    [/^response_format(?=\.schema)/, 'response_format.json_schema'],
    [/^(tools\[\d+\])(?=\.)/, '$1.function'],
  ],
  '/responses': [
    [/^response_format/, 'text.format'],
    [/^max_tokens/, 'max_output_tokens'],
  ],
}

/**
 * Makes of anything that was thrown what the client is told. What a plugin did not foresee stays in its log.
 *
 * @param route What the client asked, as the table of routes has it.
 */
export function failureOf(error: unknown, route = ''): Failure {
  if (error instanceof RequestError) return error
  if (isPluginError(error)) return pluginFailure(error, (path) => openaiPlace(path, route))
  return serverError('The gateway failed to answer. Its log tells more')
}

/** A call by the names of the wire: what is wrong in it is told by them too. */
export function wireFailure(error: unknown): unknown {
  if (!isPluginError(error)) return error
  const failure = pluginFailure(error, (path) => path)
  return failure.status === 400 ? new RequestError(400, failure.message, failure) : error
}

/** Where a member stands in the request, by where it stands in the contract. */
type PlaceOf = (path: string) => string

function openaiPlace(path: string, route: string): string {
  for (const [contract, api] of places[route] ?? [])
    if (contract.test(path)) return path.replace(contract, api)
  const [head = ''] = path.split(/[.[]/, 1)
  return `${openaiMembers[head] ?? head}${path.slice(head.length)}`
}

function pluginFailure(error: PluginError, placeOf: PlaceOf): Failure {
  const { codeName, message, data } = error
  const answer = codeName === undefined ? undefined : answers[codeName]
  if (!answer) return serverError(isForCallers(error) ? message : hiddenMessage(error), codeName)
  const { status, code = null, retryAfter, headers = {} } = answer
  const wait = retryAfter ? { 'retry-after': String(retryAfter(data)) } : {}
  const { param, text } = status === 400 ? named(message, data, placeOf) : { param: null, text: message }
  return { status, type: typeOf(status), message: text, param, code, headers: { ...headers, ...wait } }
}

/** Whether the author of a plugin has worded an error for its callers: codes of a contract, and codes of their own. */
function isForCallers(error: PluginError): boolean {
  return isAnswer(error) && error.code > 0
}

/** What failed, without what only the operator may know: paths, stacks, ends of logs. */
function hiddenMessage({ codeName, data }: PluginError): string {
  const plugin = memberOf(data, 'plugin')
  const subject = typeof plugin === 'string' ? `Plugin "${plugin}"` : 'The plugin'
  return `${subject} failed (${codeName ?? 'unknown error'}). The log of the host tells more`
}

function serverError(message: string, code: string | undefined = undefined): Failure {
  return {
    status: 500,
    type: 'server_error',
    message,
    param: null,
    code: code?.toLowerCase() ?? 'server_error',
    headers: {},
  }
}

/** The member that is wrong as the client calls it, in the message too. */
function named(message: string, data: unknown, placeOf: PlaceOf): { param: string | null; text: string } {
  const issues = memberOf(data, 'issues')
  const path: unknown = Array.isArray(issues) ? memberOf(issues[0], 'path') : undefined
  if (typeof path !== 'string' || path === '') return { param: null, text: message }
  const param = placeOf(path)
  const reason: unknown = Array.isArray(issues) ? memberOf(issues[0], 'message') : undefined
  return { param, text: typeof reason === 'string' ? `${param}: ${reason}` : message }
}

function quarantineSeconds(data: unknown): number {
  const ms = memberOf(data, 'retry_ms')
  return typeof ms === 'number' && Number.isFinite(ms) ? Math.max(1, Math.ceil(ms / 1000)) : 300
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
}

function typeOf(status: number): string {
  if (status === 429) return 'rate_limit_error'
  return status >= 500 ? 'server_error' : 'invalid_request_error'
}

/** For the operator: everything that is known. */
export function reasonOf(error: unknown): string {
  return describeThrown(error).message
}
