import { checkedNumbers, count, isLoopback, type NumberRule, size, time } from '@appfactory/host/internal'
import { type GatewayKey, KeyRing } from './keys.js'
import { type AliasTarget, aliasTarget } from './models.js'
import { areTexts, checkOptions, flag, isObject, isText, type Rule, refuseUnknown } from './rules.js'

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
}

/** Who may ask a gateway, and for what. Each has a default. */
export interface GatewayOptions {
  /**
   * Further names of models: `PLUGIN` or `PLUGIN/MODEL` by alias. `?voice=NAME` behind it says what speaks where the client asks for
   * no voice of the plugin. Default: none.
   *
   * @example { 'gpt-4o-mini': 'llm_llama', 'tts-1': 'tts_flite?voice=slt' }
   */
  models?: Readonly<Record<string, string>>
  /**
   * Further names of voices: that of a plugin, or several, of which the first counts that the plugin has. Default: none.
   *
   * @example { alloy: 'slt', onyx: ['rms', 'en_male'] }
   */
  voices?: Readonly<Record<string, string | readonly string[]>>
  /** What answers for chat models that nobody knows: a model or an alias. Default: none, they are not found. */
  fallbackModel?: string
  /** Whether OpenAI’s names for speech and transcription, such as tts-1 and whisper-1, are unknown. Default: false, they mean the active plugin. */
  strictModels?: boolean
  /** Keys of clients: one of them has to come with each request. Only their digests are kept. Default: none, everybody may ask. */
  keys?: readonly (string | GatewayKey)[]
  /** Further names under which clients may address the gateway, without ports. Default: those of this machine’s loopback and the address that it is reached at. */
  hostNames?: readonly string[]
  /** Origins of web pages that may ask, such as https://app.example. Default: none. */
  cors?: readonly string[]
  /** Whether lists of voices and speech models need no key, as Open WebUI expects. Default: false. */
  publicListings?: boolean
  /** Whether `x-appfactory-…` headers are left out of answers. Default: false. */
  quietHeaders?: boolean
  /** What clients may do. */
  limits?: Partial<GatewayLimits>
  /** Told of what the gateway could not foresee, with the request’s id and the name of its key. Default: nobody. */
  onError?: (error: unknown, requestId: string, keyName?: string) => void
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
  aliases: ReadonlyMap<string, AliasTarget>
  /** The plugins’ names of voices, by those of clients. */
  voices: ReadonlyMap<string, readonly string[]>
  fallbackModel: string | undefined
  strictModels: boolean
  keys: KeyRing
  hostNames: ReadonlySet<string>
  origins: ReadonlySet<string>
  publicListings: boolean
  quietHeaders: boolean
  limits: GatewayLimits
  onError: (error: unknown, requestId: string, keyName?: string) => void
}

const gatewayRules: Record<keyof GatewayOptions, Rule> = {
  models: {
    takes: 'an object of PLUGIN, PLUGIN/MODEL or PLUGIN?voice=NAME by alias',
    fits: (value) => isObject(value) && Object.values(value).every(isTarget),
  },
  voices: {
    takes: 'an object of voices of plugins, or of arrays of them, by name',
    fits: (value) =>
      isObject(value) && Object.values(value).every((voice) => isText(voice) || areTexts(voice)),
  },
  fallbackModel: { takes: 'the name of a model', fits: isText },
  strictModels: flag,
  keys: { takes: 'an array of keys, which are texts or objects', fits: Array.isArray, isSecret: true },
  hostNames: { takes: 'an array of names', fits: areTexts },
  cors: {
    takes: 'an array of origins, such as https://app.example (no "*": name each of them)',
    fits: (value) => Array.isArray(value) && value.every(isOrigin),
  },
  publicListings: flag,
  quietHeaders: flag,
  limits: { takes: 'an object', fits: isObject },
  onError: { takes: 'a function', fits: (value) => typeof value === 'function' },
}

const serveRules: Record<keyof ServeOptions, Rule> = {
  ...gatewayRules,
  port: {
    takes: 'a whole number from 0 to 65535',
    fits: (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65_535,
  },
  address: { takes: 'an address of this machine', fits: isText },
  allowOpen: flag,
}

/** @throws TypeError that names the option. */
export function settingsOf(options: GatewayOptions): Settings {
  checkOptions('gatewayHandler()', options, gatewayRules)
  return {
    aliases: new Map(Object.entries(options.models ?? {}).flatMap(aliasOf)),
    voices: new Map(Object.entries(options.voices ?? {}).map(([name, voices]) => [name, [voices].flat()])),
    fallbackModel: options.fallbackModel,
    strictModels: options.strictModels ?? false,
    keys: new KeyRing(options.keys ?? []),
    hostNames: new Set((options.hostNames ?? []).map((name) => name.toLowerCase())),
    origins: new Set(options.cors ?? []),
    publicListings: options.publicListings ?? false,
    quietHeaders: options.quietHeaders ?? false,
    limits: limitsOf(options.limits ?? {}),
    onError: options.onError ?? (() => {}),
  }
}

const isTarget = (value: unknown): boolean => isText(value) && aliasTarget(value) !== undefined

function aliasOf([id, text]: [string, string]): [string, AliasTarget][] {
  const target = aliasTarget(text)
  return target ? [[id, target]] : []
}

/** Where a gateway listens, and what holds there. @throws TypeError that names the option. */
export function serveSettingsOf(options: ServeOptions): {
  port: number
  address: string
  rest: GatewayOptions
} {
  checkOptions('serveGateway()', options, serveRules)
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

function isOrigin(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false
  return new URL(value).origin === value
}
