import { checkedNumbers, count, isLoopback, type NumberRule, size, time } from '@appfactory/host/internal'
import { type GatewayKey, KeyRing } from './keys.js'
import { type AliasTarget, aliasTargets } from './names.js'
import { areTexts, checkOptions, flag, isObject, isText, type Rule, refuseUnknown } from './rules.js'

const keepAlives = ['comment', 'chunk', 'off'] as const

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
  /** Longest message over a WebSocket, in bytes. A whole number. Default: 1,048,576 (1 MiB). */
  maxFrameBytes: number
  /** WebSockets of `/realtime` at once. Default: 64. */
  maxRealtimeSessions: number
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
  maxFrameBytes: 1024 * 1024,
  maxRealtimeSessions: 64,
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
  maxFrameBytes: size,
  maxRealtimeSessions: count,
  storedResponses: count,
  storedResponseBytes: size,
  storedResponseMs: time,
}

/** Who may ask a gateway, and for what. Each has a default. */
export interface GatewayOptions {
  /**
   * Further names of models: `PLUGIN` or `PLUGIN/MODEL` by alias. `?voice=NAME` behind it says what speaks where the client asks for
   * no voice of the plugin. Of several with commas between, the first one that works answers. Default: none.
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
  /** The plugin that listens in `/realtime`, where the client names none. Default: the active one. */
  realtimeEars?: string
  /** The plugin that speaks in `/realtime`. Default: the active one. */
  realtimeVoice?: string
  /** Keys of clients: one of them has to come with each request. Only their digests are kept. Default: none, everybody may ask. */
  keys?: readonly (string | GatewayKey)[]
  /** Further names under which clients may address the gateway, without ports. Default: those of this machine’s loopback and the address that it is reached at. */
  hostNames?: readonly string[]
  /** Origins of web pages that may ask, such as https://app.example. Default: none. */
  cors?: readonly string[]
  /** Whether lists of voices and speech models need no key, as Open WebUI expects. Default: false. */
  publicListings?: boolean
  /** Most tokens of an answer, where the client names no bound. A whole number. Default: the context length of the model. */
  maxTokens?: number
  /** What a stream sends when nothing else comes for long: a comment, an empty chunk of the answer (where it is made of such), or nothing. Default: comment. */
  keepAlive?: 'comment' | 'chunk' | 'off'
  /** Whether no answer of `/responses` is kept, so that `previous_response_id` is refused. Default: false. */
  stateless?: boolean
  /** Whether sound in messages is heard by the active STT plugin, where the model takes none. Default: false, it is refused. */
  hear?: boolean
  /** Whether `x-appfactory-…` headers are left out of answers. Default: false. */
  quietHeaders?: boolean
  /** Whether nothing is served that OpenAI does not: neither the plugins’ methods at `/plugins/…`, nor `/openapi.json`. Default: false. */
  openaiOnly?: boolean
  /** Whether clients of MCP may use the methods of plugins as tools, at `/mcp`. Default: false. */
  mcp?: boolean
  /** Folder whose files clients of MCP may name in place of bytes. Default: none. */
  mcpRoot?: string
  /** Whether `/metrics` tells Prometheus what the gateway and its host have done. Default: false. */
  metrics?: boolean
  /** Whether `/metrics` needs no key. Default: false. */
  publicMetrics?: boolean
  /** What clients may do. */
  limits?: Partial<GatewayLimits>
  /** Told of what the gateway could not foresee, with the request’s id and the name of its key. Default: nobody. */
  onError?: (error: unknown, requestId: string, keyName?: string) => void
}

/** A port for clients of the Wyoming protocol, such as Home Assistant. */
export interface WyomingPort {
  /** 0: any free port. */
  port: number
  /** The plugin that answers there. Default: the active one of each contract. */
  plugin?: string
}

/** How a gateway is served. */
export interface ServeOptions extends GatewayOptions {
  /** 0: any free port. Default: 8080. */
  port?: number
  /** Default: 127.0.0.1, which is for this machine only. */
  address?: string
  /** A certificate and its key in PEM: HTTPS is served, and wss. Default: none, HTTP is served. */
  tls?: { cert: string | Buffer; key: string | Buffer }
  /** Whether an address that others can reach may be served without keys. Default: false. */
  allowOpen?: boolean
  /** Ports for clients of the Wyoming protocol, such as Home Assistant. Default: none. */
  wyoming?: readonly WyomingPort[]
  /** Where those are served; on any address but the loopback interface’s, `allowOpen` is needed: the protocol has no keys. Default: 127.0.0.1. */
  wyomingAddress?: string
}

/** What holds for a gateway. */
export interface Settings {
  /** Of several plugins, the first one that works answers. */
  aliases: ReadonlyMap<string, readonly AliasTarget[]>
  /** The plugins’ names of voices, by those of clients. */
  voices: ReadonlyMap<string, readonly string[]>
  fallbackModel: string | undefined
  strictModels: boolean
  realtimeEars: string | undefined
  realtimeVoice: string | undefined
  keys: KeyRing
  hostNames: ReadonlySet<string>
  origins: ReadonlySet<string>
  publicListings: boolean
  maxTokens: number | undefined
  keepAlive: NonNullable<GatewayOptions['keepAlive']>
  stateless: boolean
  hear: boolean
  quietHeaders: boolean
  rest: boolean
  mcp: boolean
  mcpRoot: string | undefined
  metrics: boolean
  publicMetrics: boolean
  limits: GatewayLimits
  onError: (error: unknown, requestId: string, keyName?: string) => void
}

const gatewayRules: Record<keyof GatewayOptions, Rule> = {
  models: {
    takes:
      'an object of PLUGIN, PLUGIN/MODEL or PLUGIN?voice=NAME by alias, or of several of these with commas between',
    fits: (value) => isObject(value) && Object.values(value).every(isTarget),
  },
  voices: {
    takes: 'an object of voices of plugins, or of arrays of them, by name',
    fits: (value) =>
      isObject(value) && Object.values(value).every((voice) => isText(voice) || areTexts(voice)),
  },
  fallbackModel: { takes: 'the name of a model', fits: isText },
  strictModels: flag,
  realtimeEars: { takes: 'the name of a plugin', fits: isText },
  realtimeVoice: { takes: 'the name of a plugin', fits: isText },
  keys: { takes: 'an array of keys, which are texts or objects', fits: Array.isArray, isSecret: true },
  hostNames: { takes: 'an array of names', fits: areTexts },
  cors: {
    takes: 'an array of origins, such as https://app.example (no "*": name each of them)',
    fits: (value) => Array.isArray(value) && value.every(isOrigin),
  },
  publicListings: flag,
  quietHeaders: flag,
  maxTokens: {
    takes: 'a whole number from 1 on',
    fits: (value) => Number.isInteger(value) && Number(value) >= 1,
  },
  keepAlive: { takes: 'comment, chunk or off', fits: (value) => keepAlives.some((each) => each === value) },
  stateless: flag,
  hear: flag,
  openaiOnly: flag,
  mcp: flag,
  mcpRoot: { takes: 'the path of a folder', fits: isText },
  metrics: flag,
  publicMetrics: flag,
  limits: { takes: 'an object', fits: isObject },
  onError: { takes: 'a function', fits: (value) => typeof value === 'function' },
}

const serveRules: Record<keyof ServeOptions, Rule> = {
  ...gatewayRules,
  port: {
    takes: 'a whole number from 0 to 65535',
    fits: isPort,
  },
  address: { takes: 'an address of this machine', fits: isText },
  allowOpen: flag,
  wyoming: {
    takes: 'an array of { port, plugin? }',
    fits: (value) => Array.isArray(value) && value.every(isWyomingPort),
  },
  wyomingAddress: { takes: 'an address of this machine', fits: isText },
  tls: { takes: '{ cert, key } in PEM', fits: isCertificate, isSecret: true },
}

/** @throws TypeError that names the option. */
export function settingsOf(options: GatewayOptions): Settings {
  checkOptions('gatewayHandler()', options, gatewayRules)
  return {
    aliases: new Map(Object.entries(options.models ?? {}).flatMap(aliasOf)),
    voices: new Map(Object.entries(options.voices ?? {}).map(([name, voices]) => [name, [voices].flat()])),
    fallbackModel: options.fallbackModel,
    strictModels: options.strictModels ?? false,
    realtimeEars: options.realtimeEars,
    realtimeVoice: options.realtimeVoice,
    keys: new KeyRing(options.keys ?? []),
    hostNames: new Set((options.hostNames ?? []).map((name) => name.toLowerCase())),
    origins: new Set(options.cors ?? []),
    publicListings: options.publicListings ?? false,
    maxTokens: options.maxTokens,
    keepAlive: options.keepAlive ?? 'comment',
    stateless: options.stateless ?? false,
    hear: options.hear ?? false,
    quietHeaders: options.quietHeaders ?? false,
    rest: !(options.openaiOnly ?? false),
    mcp: options.mcp ?? false,
    mcpRoot: options.mcpRoot,
    metrics: options.metrics ?? false,
    publicMetrics: options.publicMetrics ?? false,
    limits: limitsOf(options.limits ?? {}),
    onError: options.onError ?? (() => {}),
  }
}

const isTarget = (value: unknown): boolean => isText(value) && aliasTargets(value) !== undefined

function aliasOf([id, text]: [string, string]): [string, readonly AliasTarget[]][] {
  const targets = aliasTargets(text)
  return targets ? [[id, targets]] : []
}

/** Where a gateway listens, and what holds there. @throws TypeError that names the option. */
export function serveSettingsOf(options: ServeOptions): {
  port: number
  address: string
  wyoming: readonly WyomingPort[]
  wyomingAddress: string
  tls: ServeOptions['tls']
  rest: GatewayOptions
} {
  checkOptions('serveGateway()', options, serveRules)
  const { port = 8080, address = '127.0.0.1', allowOpen = false, wyoming = [], tls, ...others } = options
  const { wyomingAddress = '127.0.0.1', ...rest } = others
  if (isOpen(address) && !allowOpen && (rest.keys ?? []).length === 0)
    throw new TypeError(openWithoutKeys(address))
  if (isOpen(wyomingAddress) && !allowOpen) throw new TypeError(openWyoming(wyomingAddress))
  return { port, address, wyoming, wyomingAddress, tls, rest }
}

/** Whether others can reach an address. */
function isOpen(address: string): boolean {
  return !isLoopback(address) && address !== 'localhost'
}

function openWyoming(address: string): string {
  return `Others can reach ${address}, and the Wyoming protocol has no keys: anybody there could use the plugins. Keep to 127.0.0.1, or allow it with --allow-open (allowOpen)`
}

function openWithoutKeys(address: string): string {
  return `Others can reach ${address}, and no key is set: anybody could use the plugins. Give keys (--key-file FILE, or APPFACTORY_GATEWAY_KEYS), keep to 127.0.0.1, or allow it with --allow-open (allowOpen)`
}

function limitsOf(limits: Partial<GatewayLimits>): GatewayLimits {
  refuseUnknown('limits', limits, Object.keys(limitRules))
  return { ...defaultLimits, ...checkedNumbers(limits, limitRules, 'limits.') }
}

function isPort(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65_535
}

function isWyomingPort(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const plugin: unknown = Reflect.get(value, 'plugin')
  return isPort(Reflect.get(value, 'port')) && (plugin === undefined || isText(plugin))
}

function isCertificate(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const parts: unknown[] = [Reflect.get(value, 'cert'), Reflect.get(value, 'key')]
  return parts.every((part) => isText(part) || Buffer.isBuffer(part))
}

function isOrigin(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false
  return new URL(value).origin === value
}
