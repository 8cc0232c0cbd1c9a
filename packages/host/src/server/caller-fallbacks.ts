/** What is made of a fallback. */
export interface MadeFallback {
  /** Takes its name away, unless that is another one's by now. */
  unload(): Promise<void>
}

/** The fallbacks that go with the client that has made them: when it is killed, nobody else knows their names. */
export class CallerFallbacks {
  readonly #made = new Map<string, MadeFallback>()
  #hasGone = false

  /** Takes its name away as soon as the client has gone. */
  add(name: string, made: MadeFallback): void {
    this.#made.set(name, made)
    if (this.#hasGone) void made.unload()
  }

  /** The client has gone. Those that are still being made go when they are there. */
  async closeAll(): Promise<void> {
    this.#hasGone = true
    await Promise.all([...this.#made.values()].map((made) => made.unload()))
  }
}
