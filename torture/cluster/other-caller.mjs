import { fork } from 'node:child_process'
import { once } from 'node:events'
import { endWithThis } from './children.mjs'

/** A caller in a process of its own, with some calls at once, which can be killed and frozen. */
export class OtherCaller {
  /** Calls of those that have ended by themselves. */
  made = 0
  #options
  #started = 0
  #child

  /** `options` has the folder `root`, the addresses of servers, the invariants and the chances. */
  constructor(options) {
    this.#options = options
  }

  /** Resolves when its calls have begun. */
  async start() {
    const { root, urls, random, invariants } = this.#options
    this.#started += 1
    const args = [`other-${this.#started}`, String(random.whole(0, 2 ** 31 - 1)), '8', urls.join()]
    this.#child = endWithThis(fork(new URL('caller.mjs', import.meta.url), args, { cwd: root }))
    const ended = once(this.#child, 'exit').then(([code]) => code)
    const code = await Promise.race([once(this.#child, 'message').then(() => undefined), ended])
    invariants.check(code === undefined, `a caller ended with ${code} before it was ready`)
  }

  async kill() {
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }

  signal(name) {
    this.#child.kill(name)
  }

  /** It lets its calls end, and tells of them. */
  async stop() {
    const { invariants } = this.#options
    this.#child.send('stop')
    const [told] = await Promise.race([once(this.#child, 'message'), once(this.#child, 'exit')])
    const { made = 0, ended, broken = [`it has ended with ${told}`] } = Object(told)
    this.made += made
    invariants.check(made === ended, `another caller made ${made} calls, and ${ended} have ended`)
    for (const text of broken) invariants.check(false, `another caller: ${text}`)
  }
}
