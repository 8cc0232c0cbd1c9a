/** How a plugin's stream becomes one of the AI SDK. */
export interface PieceStreamOptions<Piece, Part> {
  pieces: AsyncIterator<Piece>
  /** Parts before the first piece. */
  begin: readonly Part[]
  /** The parts of one piece: none, one or several. */
  map(piece: Piece): readonly Part[]
  /** Parts behind the last piece. */
  end(): readonly Part[]
  /** Parts in place of an error. Where there are none, it throws what the stream fails with. */
  fail(error: unknown): readonly Part[]
  /** Called however the stream ends: `reason` is undefined where it has ended by itself. */
  release?(reason: unknown): void
}

/** Reads a piece when the reader asks for one, so that a slow reader slows the plugin; a reader that leaves ends the plugin's work. */
export function streamOfPieces<Piece, Part>(options: PieceStreamOptions<Piece, Part>): ReadableStream<Part> {
  const { pieces, begin, map, end, fail, release } = options
  const failed = (error: unknown): readonly Part[] => {
    // An error of map() or end() leaves the plugin at work.
    pieces.return?.().catch(() => {})
    release?.(error)
    return fail(error)
  }
  return new ReadableStream<Part>(
    {
      start(controller) {
        for (const part of begin) controller.enqueue(part)
      },
      async pull(controller) {
        try {
          for (;;) {
            const { done, value } = await pieces.next()
            const parts = done ? end() : map(value)
            for (const part of parts) controller.enqueue(part)
            if (done) {
              release?.(undefined)
              return controller.close()
            }
            if (parts.length > 0) return
          }
        } catch (error) {
          for (const part of failed(error)) controller.enqueue(part)
          controller.close()
        }
      },
      async cancel(reason) {
        release?.(reason ?? new Error('The reader has left'))
        await pieces.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

/** Reads the first piece now, so that what fails before it is an error of the call, which the AI SDK can retry. */
export async function afterFirst<Piece>(pieces: AsyncIterator<Piece>): Promise<AsyncIterator<Piece>> {
  let first: IteratorResult<Piece> | undefined = await pieces.next()
  return {
    next() {
      if (!first) return pieces.next()
      const result = first
      first = undefined
      return Promise.resolve(result)
    },
    return: async () => (await pieces.return?.()) ?? { value: undefined, done: true },
  }
}
