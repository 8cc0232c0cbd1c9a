/** What must hold. The first time that something does not is told; all of it decides the exit status. */
export class Invariants {
  broken = []
  missed = []
  /** What is being done: told with what breaks. */
  context = ''
  #strict

  /** With `strict`, a target that is missed counts as broken. */
  constructor(strict) {
    this.#strict = strict
  }

  check(holds, text) {
    if (holds) return
    this.broken.push(text)
    if (this.broken.length <= 20)
      console.error(`torture: BROKEN ${text}${this.context && `; ${this.context}`}`)
  }

  /** A figure of time that depends on what else the machine has to do. */
  target(holds, text) {
    if (this.#strict) this.check(holds, text)
    else if (!holds) this.missed.push(text)
  }
}
