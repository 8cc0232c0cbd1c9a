/** What is found by its name: a slot. */
interface Named {
  /** The name of the plugin in it: another one after a swap. */
  readonly name: string
  /** What serves, once there is something. */
  readonly instance?: { readonly contract: { readonly name: string } } | undefined
}

/** The names by which slots are found. */
export class Registry<Slot extends Named> {
  /** Loaded plugins, and those that are being loaded, by name. */
  readonly #slots = new Map<string, Slot>()
  /** Names of plugins that were swapped out, each with the slot that it was in: calls by the old name go there. */
  readonly #formerNames = new Map<string, Slot>()
  /** Names that the slots of swaps had, or will have: which of the two is known when the swap is over. */
  readonly #reserved = new Set<string>()
  /** Names of loaded plugins. The last one loaded or swapped in comes last. */
  #loadOrder: string[] = []

  get size(): number {
    return this.#slots.size
  }

  names(): string[] {
    return [...this.#slots.keys()]
  }

  slots(): Slot[] {
    return [...this.#slots.values()]
  }

  /** Those that have come up. The last one loaded or swapped in comes last. */
  inLoadOrder(): Slot[] {
    return this.#loadOrder.flatMap((name) => this.#slots.get(name) ?? [])
  }

  /** The slot of a plugin by its name of today. */
  loaded(name: string): Slot | undefined {
    return this.#slots.get(name)
  }

  /** The slot by its name of today, or by one that it had before a swap. */
  find(name: string): Slot | undefined {
    return this.#slots.get(name) ?? this.#formerNames.get(name)
  }

  /** The plugin that took the place of `name` in a swap, if that name is not loaded again. */
  successorOf(name: string): string | undefined {
    return this.#slots.has(name) ? undefined : this.#formerNames.get(name)?.name
  }

  /** Whether a plugin can’t be loaded by that name now. */
  isTaken(name: string): boolean {
    return this.#slots.has(name) || this.#reserved.has(name)
  }

  /** Keeps names for a swap. Returns what gives them back. */
  reserve(names: readonly string[]): () => void {
    for (const name of names) this.#reserved.add(name)
    return () => {
      for (const name of names) this.#reserved.delete(name)
    }
  }

  /** A plugin is being loaded: calls find its slot from now on. */
  add(slot: Slot): void {
    this.#slots.set(slot.name, slot)
  }

  /** The plugin that was added as `name` is ready. Its slot may have been swapped to another name meanwhile. */
  opened(slot: Slot, name: string): void {
    if (this.#formerNames.get(name) !== slot) this.#formerNames.delete(name)
    if (!this.#loadOrder.includes(slot.name)) this.#loadOrder.push(slot.name)
  }

  /** A swap has put another plugin into the slot. */
  renamed(slot: Slot, previous: string): void {
    this.#loadOrder = [...this.#loadOrder.filter((name) => name !== previous), slot.name]
    if (slot.name === previous) return
    this.#slots.delete(previous)
    this.#formerNames.set(previous, slot)
    this.#formerNames.delete(slot.name)
    this.#slots.set(slot.name, slot)
  }

  remove(slot: Slot): void {
    if (this.#slots.get(slot.name) === slot) this.#slots.delete(slot.name)
    this.#loadOrder = this.#loadOrder.filter((name) => name !== slot.name)
    for (const [name, successor] of this.#formerNames) if (successor === slot) this.#formerNames.delete(name)
  }

  clear(): void {
    this.#slots.clear()
    this.#formerNames.clear()
    this.#loadOrder = []
  }

  /** The plugin of that contract that was loaded or swapped in last. */
  active(contract: string): string | undefined {
    return this.#loadOrder.findLast((name) => this.#slots.get(name)?.instance?.contract.name === contract)
  }
}
