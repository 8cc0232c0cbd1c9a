import { count, digestOf, indexOfSecret } from '@appfactory/host/internal'
import { RequestError } from './errors.js'
import type { Exchange } from './exchange.js'
import { durationText, Rate } from './rate.js'
import { checkOptions, isText, type Rule, text, texts } from './rules.js'

/** A key of clients, and what it is good for. Without a limit, it is good for all. */
export interface GatewayKey {
  /** What clients send; or `sha256:` and its SHA-256 as 64 hexadecimal digits, so that nobody has to keep the key itself. */
  key: string
  /** What errors and logs call it. Default: `key 1` for the first, and so on. */
  name?: string
  /**
   * The models that it may use: names of plugins, of their models, and aliases. A plugin’s name stands for its models and aliases too.
   * The others are not there for it. Default: all.
   */
  models?: readonly string[]
  /** The contracts whose plugins it may use, such as `tts`. Default: all. */
  contracts?: readonly string[]
  /** How many requests may come in a minute, turns and answers of Realtime among them; more get 429. Default: Infinity. */
  requestsPerMinute?: number
  /** How many requests, streams among them, may be under way at once; more get 429. Default: Infinity. */
  concurrentRequests?: number
  /** How long the sound of one request may be, heard or spoken, in seconds. Default: Infinity, where the gateway’s bounds are left. */
  audioSeconds?: number
}

/** What a key may use; undefined: all. */
export interface Access {
  models: readonly string[] | undefined
  contracts: readonly string[] | undefined
}

export const everything: Access = { models: undefined, contracts: undefined }

/** A number that may have no end. */
const limit: Rule = { takes: count.takes, fits: (value) => typeof value === 'number' && count.fits(value) }

/** What an object among the keys has. */
export const keyRules: Record<keyof GatewayKey, Rule> = {
  key: {
    takes: 'a text without spaces; behind "sha256:", 64 hexadecimal digits',
    fits: (value) => isText(value) && !/\s/.test(value) && (!value.startsWith(hashed) || isHash(value)),
    isSecret: true,
  },
  name: text,
  models: texts,
  contracts: texts,
  requestsPerMinute: limit,
  concurrentRequests: limit,
  audioSeconds: {
    takes: 'a number of seconds above 0',
    fits: (value) => typeof value === 'number' && value > 0,
  },
}

const hashed = 'sha256:'
const isHash = (key: string): boolean => /^sha256:[0-9a-f]{64}$/i.test(key)

/** The keys of a gateway. Only their digests are kept. */
export class KeyRing {
  #keys: readonly Key[]
  #digests: readonly Buffer[]

  /** @throws TypeError that names the key that is wrong, but does not show it. */
  constructor(given: readonly (string | GatewayKey)[]) {
    this.#keys = keysOf(given)
    this.#digests = this.#keys.map(({ digest }) => digest)
  }

  /** Whether everybody may ask. */
  get isEmpty(): boolean {
    return this.#keys.length === 0
  }

  /** The key that a client has sent; undefined: it is none of these. */
  find(sent: string): Key | undefined {
    return this.#keys[indexOfSecret(this.#digests, sent)]
  }

  /**
   * Takes other keys. Those that stay have used what they had used.
   *
   * @throws TypeError where one is wrong, or where there were keys and are none now: nothing has changed then.
   */
  replace(given: readonly (string | GatewayKey)[]): void {
    const fresh = keysOf(given)
    if (fresh.length === 0 && !this.isEmpty)
      throw new TypeError('keys must have one key at least: without any, everybody could ask')
    for (const key of fresh) key.goOnFrom(this.#keys.find(({ digest }) => digest.equals(key.digest)))
    this.#keys = fresh
    this.#digests = fresh.map(({ digest }) => digest)
  }
}

/** A key that a client has shown. */
export class Key {
  readonly digest: Buffer
  readonly name: string
  /** Undefined: it may use everything. */
  readonly access: Access | undefined
  /** In seconds. */
  readonly audioSeconds: number
  readonly #most: number
  readonly #perMinute: number
  #rate: Rate | undefined
  /** Shared with the key that this one has replaced. */
  #underWay = { count: 0 }

  constructor(given: GatewayKey, name: string) {
    const { key, models, contracts } = given
    this.digest = isHash(key) ? Buffer.from(key.slice(hashed.length), 'hex') : digestOf(key)
    this.name = given.name ?? name
    this.access = models || contracts ? { models, contracts } : undefined
    this.audioSeconds = given.audioSeconds ?? Number.POSITIVE_INFINITY
    this.#most = given.concurrentRequests ?? Number.POSITIVE_INFINITY
    this.#perMinute = given.requestsPerMinute ?? Number.POSITIVE_INFINITY
    this.#rate = Number.isFinite(this.#perMinute) ? new Rate(this.#perMinute) : undefined
  }

  /** Keeps what the same key has used before its limits were read again. */
  goOnFrom(old: Key | undefined): void {
    if (!old) return
    this.#underWay = old.#underWay
    if (old.#perMinute === this.#perMinute) this.#rate = old.#rate
  }

  /** Counts a request, until it is over. @throws RequestError 429 where it is one too many. */
  admit(exchange: Exchange): void {
    if (this.#underWay.count >= this.#most)
      throw tooMany(`"${this.name}" may have ${this.#most} requests under way at once`, 1000)
    try {
      this.spend()
    } finally {
      this.#tellRate(exchange.response)
    }
    this.#underWay.count++
    exchange.onceOver(() => this.#underWay.count--)
  }

  /** Counts what is asked for within a request. @throws RequestError 429 where it is one too many. */
  spend(): void {
    if (!this.#rate || this.#rate.take()) return
    throw tooMany(`"${this.name}" may send ${this.#perMinute} requests a minute`, this.#rate.nextMs)
  }

  /** What is left of its requests; undefined: they have no limit. */
  get requestsLeft(): { limit: number; left: number; fullMs: number } | undefined {
    return this.#rate && { limit: this.#perMinute, left: this.#rate.left, fullMs: this.#rate.fullMs }
  }

  #tellRate(response: Exchange['response']): void {
    const requests = this.requestsLeft
    if (!requests) return
    const { limit, left, fullMs } = requests
    response.setHeader('x-ratelimit-limit-requests', String(limit))
    response.setHeader('x-ratelimit-remaining-requests', String(left))
    response.setHeader('x-ratelimit-reset-requests', durationText(fullMs))
  }
}

function tooMany(limit: string, waitMs: number): RequestError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000))
  return new RequestError(429, `The key ${limit}. Try again in ${seconds} s`, {
    code: 'rate_limit_exceeded',
    headers: { 'retry-after': String(seconds) },
  })
}

/** Whether a key may use what has one of these names. */
export function mayUse(access: Access, names: readonly string[], contract: string | null): boolean {
  const { models } = access
  return mayUseContract(access, contract) && (!models || names.some((name) => models.includes(name)))
}

export function mayUseContract({ contracts }: Access, contract: string | null): boolean {
  return !contracts || (contract !== null && contracts.includes(contract))
}

function keysOf(given: readonly (string | GatewayKey)[]): Key[] {
  const keys = given.map((each, index) => {
    const key = typeof each === 'string' ? { key: each } : each
    checkOptions(`keys[${index}]`, key, keyRules, `keys[${index}].`)
    if (key.key === undefined) throw new TypeError(`keys[${index}].key is missing`)
    return new Key(key, `key ${index + 1}`)
  })
  refuseTwins(given, keys)
  return keys
}

/** Of two that are the same, one would have limits that mean nothing. */
function refuseTwins(given: readonly (string | GatewayKey)[], keys: readonly Key[]): void {
  const first = new Map<string, number>()
  for (const [index, { digest }] of keys.entries()) {
    const before = first.get(digest.toString('hex'))
    if (before !== undefined && (typeof given[before] !== 'string' || typeof given[index] !== 'string'))
      throw new TypeError(`keys[${index}] and keys[${before}] are the same key`)
    first.set(digest.toString('hex'), before ?? index)
  }
}
