/** What keeps this process from ending, or not, as a host says. */
interface Member {
  /** Looks again whether it is to keep this process from ending. */
  updateRef(): void
}

/** Whether the idle plugins of a host keep this process from ending. */
export class KeepAlive {
  readonly #members = new Set<Member>()
  #isOn = true

  get isOn(): boolean {
    return this.#isOn
  }

  set(isOn: boolean): void {
    this.#isOn = isOn
    for (const member of this.#members) member.updateRef()
  }

  add(member: Member): void {
    this.#members.add(member)
  }

  delete(member: Member): void {
    this.#members.delete(member)
  }
}
