import { errorBody, type Failure, failureOf } from './errors.js'
import type { Exchange } from './exchange.js'
import { EventStream } from './sse.js'

/** Sends an event: JSON without a line end, and the name that the event has in some APIs. */
export type Send = (data: string, name?: string) => void

/** What a stream of events is made of. */
export interface Telling<Piece> {
  /** Events in front of the first piece. */
  begin(send: Send): void
  /** The events of a piece. */
  piece(piece: Piece, send: Send): void
  /** Events behind the last piece. */
  end(send: Send): void
  /** An event that says nothing. Default: there is none. */
  idle?(): string
  /** The event of an error, which is the last. Default: the body that an error has everywhere. */
  fail?(failure: Failure, send: Send): void
}

/**
 * Answers with the pieces of a plugin as server-sent events. An error before the first piece has its own status; a later one is the
 * last event. The plugin is asked for the next piece only when the client has room for it.
 */
export async function sendStream<Piece>(
  exchange: Exchange,
  stream: AsyncIterable<Piece>,
  telling: Telling<Piece>,
): Promise<void> {
  const { response } = exchange
  const pieces = stream[Symbol.asyncIterator]()
  let result = await pieces.next()
  const events = new EventStream(exchange, telling.idle && (() => telling.idle?.() ?? ''))
  const send: Send = (data, name) => events.send(data, name)
  try {
    telling.begin(send)
    while (!result.done) {
      telling.piece(result.value, send)
      const room = events.room()
      if (room) await room
      result = await pieces.next()
    }
    telling.end(send)
  } catch (error) {
    // What it was cancelled for says more than that it was.
    const failure = failureOf(exchange.signal.aborted ? exchange.signal.reason : error, exchange.route)
    if (failure.status === 500 && !response.destroyed) exchange.report(error)
    if (telling.fail) telling.fail(failure, send)
    else send(JSON.stringify(errorBody(failure)))
    await pieces.return?.()
  }
  events.end()
}

/** Splits the JSON of a sample at the text that stands for what changes: the rest of each event is the same. */
export function frameOf(sample: object, placeholder: string): (text: string) => string {
  const [before = '', after = ''] = JSON.stringify(sample).split(JSON.stringify(placeholder))
  return (text) => before + JSON.stringify(text) + after
}
