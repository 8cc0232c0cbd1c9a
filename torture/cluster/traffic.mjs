import { setTimeout as delay } from 'node:timers/promises'
import { Callers } from '../callers.mjs'

/** Of each kind of call, how many in a hundred. */
const shares = { work: 30, large: 8, sound: 10, cancelled: 10, count: 14, broken: 8, join: 10, session: 10 }

const kinds = Object.entries(shares).flatMap(([kind, share]) => Array(share).fill(kind))

/** Callers of a plugin of a cluster, and an account of each call: its answer is right and whole, or its error is excused. */
export class ClusterTraffic {
  made = 0
  ended = 0
  longestMs = 0
  failed = new Map()
  /** Of the last call that failed, by what has failed. */
  failedAt = new Map()
  #plugin
  #prefix
  #invariants
  #excuses
  #callers

  /** `excuses` tells whether a call that began at some time may end now because of `error`; `prefix` is in the token of each call. */
  constructor({ plugin, prefix, callers, random, invariants, excuses }) {
    this.#plugin = plugin
    this.#prefix = prefix
    this.#invariants = invariants
    this.#excuses = excuses
    this.#callers = new Callers({
      ...{ count: callers, random },
      call: (caller, chances) => this.#call(caller, chances),
      openCalls: () => this.made - this.ended,
    })
  }

  start() {
    this.#callers.start()
  }

  /** Lets every call end: none may be left unanswered. */
  rest() {
    return this.#callers.rest()
  }

  /** One call of `work`, which may end with `allowed` whatever becomes of its plugin. */
  work(args, { allowed = [], ...options } = {}) {
    const token = this.#token('fault')
    return this.#account(() => this.#work({ token, ...args }, options), allowed)
  }

  async #call(caller, random) {
    while (this.#callers.isRunning) {
      const token = this.#token(caller)
      const kind = random.pick(kinds)
      // All chance is drawn before anything is awaited.
      const [few, many] = [random.whole(0, 20), random.whole(1, 60)]
      const allowed = kind === 'cancelled' ? ['REQUEST_CANCELLED'] : []
      await this.#account(() => this.#kinds[kind](token, few, many), allowed)
      await delay(few * 2)
    }
  }

  #kinds = {
    work: (token, work) => this.#work({ token, work }),
    large: (token, _, many) => this.#work({ token, pad: many * 3000 }),
    sound: (token, _, many) => this.#work({ token, sound: many * 5000 }),
    cancelled: (token, work, many) => this.#work({ token, work }, { signal: AbortSignal.timeout(many >> 1) }),
    count: (token, few, pieces) => this.#count({ token, pieces, sound: few * 100 }),
    broken: (token, few, pieces) => this.#count({ token, pieces: 1e6, work: 1 }, Math.min(pieces, few + 1)),
    join: (token, _, many) => this.#join(token, many),
    session: (token, few) => this.#session(token, few),
  }

  async #work(args, options = {}) {
    const begunAt = performance.now()
    const { token, pad = '', sound } = await this.#plugin.work(args, options)
    this.longestMs = Math.max(this.longestMs, performance.now() - begunAt)
    this.#check(token === args.token, `${args.token} got the answer of ${token}`)
    this.#check(pad.length === (args.pad ?? 0), `${token} got ${pad.length} letters`)
    this.#checkSound(token, sound, args.sound)
  }

  /** A stream, up to its end or up to so many pieces. */
  async #count(args, most = args.pieces) {
    let next = 0
    for await (const { token, index, sound } of this.#plugin.count(args)) {
      this.#check(token === args.token, `${args.token} got a piece of ${token}`)
      this.#check(index === next, `piece ${next} of ${args.token} is ${index}`)
      this.#checkSound(token, sound, args.sound)
      next += 1
      if (next === most) break
    }
    this.#check(next === most, `${args.token} ended after ${next} of ${most} pieces`)
  }

  /** A stream that is fed by another one. */
  async #join(token, parts) {
    const given = Array.from({ length: parts }, (_, index) => `${token}#${index}`)
    async function* feed() {
      for (const part of given) {
        if (part.endsWith('7')) await delay(1)
        yield part
      }
    }
    const got = []
    for await (const { text } of this.#plugin.join({ token, text: feed() })) got.push(text)
    this.#check(got.join() === given.join(), `${token} gave ${given.length} parts and got ${got.length}`)
  }

  async #session(token, count) {
    const { sessionId, pid } = await this.#plugin.open({ token })
    for (let use = 1; use <= count; use++) {
      const used = await this.#plugin.use({ sessionId, token: `${token}+${use}` })
      this.#check(
        used.pid === pid && used.uses === use,
        `use ${use} of ${token}, in ${pid}: ${JSON.stringify(used)}`,
      )
    }
    const { uses } = await this.#plugin.end({ sessionId, token: `${token}.` })
    this.#check(uses === count, `${token} was used ${uses} times, not ${count}`)
  }

  async #account(make, allowed) {
    const begunAt = performance.now()
    this.made += 1
    try {
      await make()
    } catch (error) {
      this.#fail(error, begunAt, allowed)
      // A plugin that is away fails at once: the load must not become a flood of refusals.
      await delay(5)
    }
    this.ended += 1
  }

  #fail(error, begunAt, allowed) {
    const name = error.codeName ?? error.name
    this.failed.set(name, (this.failed.get(name) ?? 0) + 1)
    if (allowed.includes(name)) return
    this.failedAt.set(error.data?.node, performance.now())
    const after = (performance.now() - begunAt).toFixed(0)
    this.#check(
      this.#excuses(error, begunAt),
      `a call ended after ${after} ms with ${error} ${JSON.stringify(error.data)}`,
    )
  }

  #token(caller) {
    return `${this.#prefix}-${caller}-${this.made}`
  }

  #checkSound(token, sound, length) {
    const isRight = length ? sound?.length === length && sound.every((byte) => byte === token.length) : !sound
    this.#check(isRight, `${token} got ${sound?.length} of ${length} bytes, or others`)
  }

  #check(holds, text) {
    this.#invariants.check(holds, text)
  }
}
