import {
  checkedNumbers,
  count,
  digestOf,
  isLoopback,
  type NumberRule,
  size,
  time,
} from '@appfactory/host/internal'
import { closest, nameValue, quoted } from '@appfactory/sdk/internal'

/** Limits of what clients may do. Names ending in `Ms` are in ms; Infinity: never. */
export interface GatewayLimits {
  /** Longest body of JSON, in bytes. A whole number. Default: 4,194,304 (4 MiB). */
  maxBodyBytes: number
  /** How long the headers of a request may take. Default: 10,000. */
  headersTimeoutMs: number
  /** How long a whole request may take to arrive. Default: 120,000. */
  requestTimeoutMs: number
  /** How long a body may come as slowly as it likes; from then on it needs 1 KiB/s. Default: 10,000. */
  slowBodyMs: number
  /** How long a connection may wait for its next request. Default: 75,000. */
  idleConnectionMs: number
  /** How long a client may read nothing of a stream that has something for it. It is disconnected then. Default: 60,000. */
  unreadStreamMs: number
  /** After how long a silence a stream sends a comment, so that nobody takes it for dead. Default: 15,000. */
  keepAliveMs: number
  /** How long `close()` waits for requests under way. Default: 5,000. */
  drainTimeoutMs: number
  /** Connections at once. Default: 1,024. */
  maxConnections: number
  /** How many answers of `/responses` are kept for each key. A whole number. Default: 100. */
  storedResponses: number
  /** How many bytes they may have together with their conversations, for each key. Default: 16,777,216 (16 MiB). */
  storedResponseBytes: number
  /** How long they are kept. Default: 3,600,000 (an hour). */
  storedResponseMs: number
}

export const defaultLimits: GatewayLimits = {
  maxBodyBytes: 4 * 1024 * 1024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 120_000,
  slowBodyMs: 10_000,
  idleConnectionMs: 75_000,
  unreadStreamMs: 60_000,
  keepAliveMs: 15_000,
  drainTimeoutMs: 5000,
  maxConnections: 1024,
  storedResponses: 100,
  storedResponseBytes: 16 * 1024 * 1024,
  storedResponseMs: 3_600_000,
}

const limitRules: Record<keyof GatewayLimits, NumberRule> = {
  maxBodyBytes: size,
  headersTimeoutMs: time,
  requestTimeoutMs: time,
  slowBodyMs: time,
  idleConnectionMs: time,
  unreadStreamMs: time,
  keepAliveMs: time,
  drainTimeoutMs: time,
  maxConnections: count,
  storedResponses: count,
  storedResponseBytes: size,
  storedResponseMs: time,
}

/** Who may ask a gateway, and for what. Each has a default. */
export interface GatewayOptions {
  /**
   * Further names of models: `PLUGIN` or `PLUGIN/MODEL` by alias. Default: none.
   *
   * @example { 'gpt-4o-mini': 'llm_llama' }
   */
  models?: Readonly<Record<string, string>>
  /** What answers for chat models that nobody knows: a model or an alias. Default: none, they are not found. */
  fallbackModel?: string
  /** Whether OpenAI’s names for speech and transcription, such as tts-1 and whisper-1, are unknown. Default: false, they mean the active plugin. */
  strictModels?: boolean
  /** Keys of clients: one of them has to come with each request. Only their digests are kept. Default: none, everybody may ask. */
  keys?: readonly string[]
  /** Further names under which clients may address the gateway, without ports. Default: those of this machine’s loopback and the address that it is reached at. */
  hostNames?: readonly string[]
  /** Origins of web pages that may ask, such as https://app.example. Default: none. */
  cors?: readonly string[]
  /** Whether lists of voices and speech models need no key, as Open WebUI expects. Default: false. */
  publicListings?: boolean
  /** Whether no answer of `/responses` is kept, so that `previous_response_id` is refused. Default: false. */
  stateless?: boolean
  /** Whether sound in messages is heard by the active STT plugin, where the model takes none. Default: false, it is refused. */
  hear?: boolean
  /** Whether `x-appfactory-…` headers are left out of answers. Default: false. */
  quietHeaders?: boolean
  /** What clients may do. */
  limits?: Partial<GatewayLimits>
  /** Told of what the gateway could not foresee, with the request’s id. Default: nobody. */
  onError?: (error: unknown, requestId: string) => void
}

/** How a gateway is served. */
export interface ServeOptions extends GatewayOptions {
  /** 0: any free port. Default: 8080. */
  port?: number
  /** Default: 127.0.0.1, which is for this machine only. */
  address?: string
  /** Whether an address that others can reach may be served without keys. Default: false. */
  allowOpen?: boolean
}

/** What holds for a gateway. */
export interface Settings {
  aliases: ReadonlyMap<string, string>
  fallbackModel: string | undefined
  strictModels: boolean
  keys: readonly Buffer[]
  hostNames: ReadonlySet<string>
  origins: ReadonlySet<string>
  publicListings: boolean
  stateless: boolean
  hear: boolean
  quietHeaders: boolean
  limits: GatewayLimits
  onError: (error: unknown, requestId: string) => void
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''
const isFlag = (value: unknown): boolean => typeof value === 'boolean'
const areTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText)
const isFunction = (value: unknown): boolean => typeof value === 'function'
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null

interface Rule {
  takes: string
  fits(value: unknown): boolean
}

const gatewayRules: Record<keyof GatewayOptions, Rule> = {
  models: {
    takes: 'an object of PLUGIN or PLUGIN/MODEL by alias',
    fits: (value) => typeof value === 'object' && value !== null && Object.values(value).every(isText),
  },
  fallbackModel: { takes: 'the name of a model', fits: isText },
  strictModels: { takes: 'true or false', fits: isFlag },
  keys: { takes: 'an array of texts that are not empty', fits: areTexts },
  hostNames: { takes: 'an array of names', fits: areTexts },
  cors: {
    takes: 'an array of origins, such as https://app.example (no "*": name each of them)',
    fits: (value) => Array.isArray(value) && value.every(isOrigin),
  },
  publicListings: { takes: 'true or false', fits: isFlag },
  stateless: { takes: 'true or false', fits: isFlag },
  hear: { takes: 'true or false', fits: isFlag },
  quietHeaders: { takes: 'true or false', fits: isFlag },
  limits: { takes: 'an object', fits: isObject },
  onError: { takes: 'a function', fits: isFunction },
}

const serveRules: Record<keyof ServeOptions, Rule> = {
  ...gatewayRules,
  port: {
    takes: 'a whole number from 0 to 65535',
    fits: (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65_535,
  },
  address: { takes: 'an address of this machine', fits: isText },
  allowOpen: { takes: 'true or false', fits: isFlag },
}

/** @throws TypeError that names the option. */
export function settingsOf(options: GatewayOptions): Settings {
  check('gatewayHandler()', options, gatewayRules)
  return {
    aliases: new Map(Object.entries(options.models ?? {})),
    fallbackModel: options.fallbackModel,
    strictModels: options.strictModels ?? false,
    keys: (options.keys ?? []).map(digestOf),
    hostNames: new Set((options.hostNames ?? []).map((name) => name.toLowerCase())),
    origins: new Set(options.cors ?? []),
    publicListings: options.publicListings ?? false,
    stateless: options.stateless ?? false,
    hear: options.hear ?? false,
    quietHeaders: options.quietHeaders ?? false,
    limits: limitsOf(options.limits ?? {}),
    onError: options.onError ?? (() => {}),
  }
}

/** Where a gateway listens, and what holds there. @throws TypeError that names the option. */
export function serveSettingsOf(options: ServeOptions): {
  port: number
  address: string
  rest: GatewayOptions
} {
  check('serveGateway()', options, serveRules)
  const { port = 8080, address = '127.0.0.1', allowOpen = false, ...rest } = options
  const isOpen = !isLoopback(address) && address !== 'localhost'
  if (isOpen && !allowOpen && (rest.keys ?? []).length === 0) throw new TypeError(openWithoutKeys(address))
  return { port, address, rest }
}

function openWithoutKeys(address: string): string {
  return `Others can reach ${address}, and no key is set: anybody could use the plugins. Give keys (--key-file FILE, or APPFACTORY_GATEWAY_KEYS), keep to 127.0.0.1, or allow it with --allow-open (allowOpen)`
}

function limitsOf(limits: Partial<GatewayLimits>): GatewayLimits {
  refuseUnknown('limits', limits, Object.keys(limitRules))
  return { ...defaultLimits, ...checkedNumbers(limits, limitRules, 'limits.') }
}

function check(what: string, options: object, rules: Readonly<Record<string, Rule>>): void {
  if (!isObject(options)) throw new TypeError(`${what} takes options as an object, not ${nameValue(options)}`)
  refuseUnknown(what, options, Object.keys(rules))
  for (const [name, { takes, fits }] of Object.entries(rules)) {
    const value: unknown = Reflect.get(options, name)
    // A key is a secret, so the value is not shown.
    if (value !== undefined && !fits(value))
      throw new TypeError(`${name} takes ${takes}, not ${shown(name, value)}`)
  }
}

function shown(name: string, value: unknown): string {
  return name === 'keys' ? 'what it was given' : nameValue(value)
}

function refuseUnknown(what: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name))
  if (unknown === undefined) return
  const meant = closest(unknown, known)
  const hint = meant === undefined ? `Its options are ${known.join(', ')}` : `Did you mean ${meant}?`
  throw new TypeError(`${what} has no option ${quoted(unknown)}. ${hint}`)
}

function isOrigin(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false
  return new URL(value).origin === value
}
