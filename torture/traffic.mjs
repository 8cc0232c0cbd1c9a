import { setTimeout as delay } from 'node:timers/promises'
import { Callers } from './callers.mjs'

const cancelled = -32800

/** Callers of every slot of a host, and an account of each call: lost, answered by another, failed without a cause. */
export class Traffic {
  made = 0
  answered = 0
  failed = new Map()
  longestMs = 0
  #client
  #names
  #blame
  #invariants
  #pieces = new Map()
  #callers

  /** `names` has the plugin of each slot, as it is now. */
  constructor({ client, names, blame, invariants, random }) {
    this.#client = client
    this.#names = names
    this.#blame = blame
    this.#invariants = invariants
    this.#callers = new Callers({
      ...{ count: 24, random },
      call: (caller, chances) => this.#call(caller, chances),
      openCalls: () => client.openCalls,
    })
    client.onPiece = (piece) => this.#receivePiece(piece)
  }

  start() {
    this.#callers.start()
  }

  /** Lets every call end: none may be left unanswered. */
  rest() {
    return this.#callers.rest()
  }

  /** One call of `complete`, which may end with `allowed` whatever becomes of its plugin. */
  async complete(slot, prompt, { params = {}, allowed = [] } = {}) {
    const { token = `fault-${this.made}` } = prompt
    const call = this.#begin(slot, 'complete', { ...prompt, token }, params)
    await this.#account(call, ({ text }) => text === token, allowed)
  }

  async #call(caller, random) {
    for (let index = 0; this.#callers.isRunning; index++) {
      const slot = random.whole(0, this.#names.length - 1)
      const token = `${caller}-${index}-${this.made}`
      const kind = random.next()
      if (kind < 0.6) await this.complete(slot, { token, work: random.whole(0, 20) })
      else if (kind < 0.7) await this.complete(slot, { token, size: 200_000 })
      else if (kind < 0.85) await this.#cancelled(slot, token, random)
      else await this.#stream(slot, token, random)
    }
  }

  async #cancelled(slot, token, random) {
    const call = this.#begin(slot, 'complete', { token, work: 20 })
    setTimeout(() => this.#client.notify('$/cancelRequest', { id: call.id }), random.whole(0, 30))
    await this.#account(call, ({ text }) => text === token, [cancelled])
  }

  async #stream(slot, token, random) {
    const count = random.whole(1, 60)
    const call = this.#begin(slot, 'stream_complete', { token, pieces: count }, { stream: { credit: 8 } })
    let next = 0
    this.#pieces.set(call.id, (sequence, { text }) => {
      this.#invariants.check(
        sequence === next && text === `${token}#${next} `,
        `piece ${sequence} of ${token} is ${text}`,
      )
      next += 1
      this.#client.notify('$/credit', { id: call.id, n: 1 })
    })
    await this.#account(call, ({ pieces }) => pieces === count && next === count)
    this.#pieces.delete(call.id)
  }

  #receivePiece({ id, seq, value }) {
    const receive = this.#pieces.get(id)
    if (receive) receive(seq, value)
    else this.#invariants.check(false, `a piece of ${id}, which is no open stream`)
  }

  #begin(slot, method, prompt, params = {}) {
    const plugin = this.#names[slot]
    const begunAt = performance.now()
    const args = { prompt: JSON.stringify(prompt) }
    return {
      slot,
      plugin,
      begunAt,
      ...this.#client.begin('plugin/call', { plugin, method, args, ...params }),
    }
  }

  async #account({ slot, plugin, begunAt, response }, isRight, allowed = []) {
    this.made += 1
    const { result, error } = await response
    this.answered += 1
    this.longestMs = Math.max(this.longestMs, performance.now() - begunAt)
    if (!error)
      return this.#invariants.check(
        isRight(result),
        `a foreign or broken answer: ${JSON.stringify(result).slice(0, 200)}`,
      )
    this.failed.set(error.code, (this.failed.get(error.code) ?? 0) + 1)
    this.#invariants.check(
      allowed.includes(error.code) || this.#blame.excuses(slot, error.code, begunAt),
      `a call of ${plugin} ended with ${JSON.stringify(error).slice(0, 300)}`,
    )
    // A plugin that is away fails at once: the load must not become a flood of refusals.
    await delay(5)
  }
}
