/** Text in pieces, cut between characters only: a client that gets half of one has no text, or fails. */
export class WholeCharacters {
  #half = ''

  /** @returns What can be told: all but half of a character at the end, which the next piece completes. */
  add(piece: string): string {
    if (this.#half === '' && !endsInHalf(piece)) return piece
    const text = this.#half + piece
    const isCut = endsInHalf(text)
    this.#half = isCut ? text.slice(-1) : ''
    return isCut ? text.slice(0, -1) : text
  }

  /** @returns What no piece has completed. */
  rest(): string {
    const half = this.#half
    this.#half = ''
    return half
  }
}

/** Whether the last unit of UTF-16 is the first of two. */
function endsInHalf(text: string): boolean {
  const last = text.charCodeAt(text.length - 1)
  return last >= 0xd800 && last <= 0xdbff
}
