/** Turns a callback's pieces into an iteration: the producer pushes, the consumer awaits. */
export class TextStream<Piece> {
  readonly #pieces: Piece[] = []
  #wake: (() => void) | undefined
  #ended = false

  push(piece: Piece): void {
    this.#pieces.push(piece)
    this.#wake?.()
  }

  end(): void {
    this.#ended = true
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Piece, void, undefined> {
    for (;;) {
      yield* this.#pieces.splice(0)
      if (this.#pieces.length > 0) continue
      if (this.#ended) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
