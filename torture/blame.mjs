/** Which errors the calls of a slot may end with, and because of what: a fault excuses nobody else, and nobody later. */
export class Blame {
  #faults = []

  /** From now on calls of the slot may end with `codes`. Resolves the fault, to be ended when the slot is well again. */
  begin(slot, codes) {
    const fault = { slot, codes, endedAt: Number.POSITIVE_INFINITY }
    this.#faults.push(fault)
    return fault
  }

  end(fault) {
    fault.endedAt = performance.now()
  }

  /** Whether a call that began at `begunAt` and ends now may end with `code`. */
  excuses(slot, code, begunAt) {
    return this.#faults.some(
      (fault) => fault.slot === slot && fault.endedAt >= begunAt && fault.codes.includes(code),
    )
  }
}
