/** A person sees no more than that. */
const everyMs = 50

/** Does the last of what is asked for, not more often than a person can see. */
export class Throttle {
  #timer: ReturnType<typeof setTimeout> | undefined
  #work: () => void = () => {}

  soon(work: () => void): void {
    this.#work = work
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#work()
    }, everyMs)
  }

  cancel(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
