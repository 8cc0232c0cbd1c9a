import { PluginError } from '../errors.js'
import { CancellationToken } from './cancellation.js'
import type { Request, RequestId } from './message.js'
import { IncomingStream, OutgoingStream } from './streams.js'

/** What a call needs of its connection. */
export interface Connection {
  /** Sends one piece of the answer. Resolves when the reader has caught up. */
  sendPiece(id: RequestId, sequence: number, value: unknown): Promise<void> | undefined
  notify(method: string, params: unknown): void
  /** Answers before the work on the call has ended. */
  answerEarly(id: RequestId, error: PluginError): void
  /** So many bytes more, or fewer, are kept for calls. */
  countHeld(bytes: number): void
}

/** Items of an input that may arrive before the callee has taken one. */
const inputWindow = 64

/** One request or notification from the other end, while it is worked on. */
export class IncomingCall extends CancellationToken {
  readonly method: string
  /** Undefined also once they have been handed over. */
  params: Record<string, unknown> | unknown[] | undefined
  /** Undefined for a notification. */
  readonly id: RequestId | undefined
  /** How long the work may go on after a cancel before the caller is told that it does not stop, in ms. */
  cancelGraceMs = Number.POSITIVE_INFINITY
  /** Whether the caller has its answer already. */
  answered = false
  readonly #connection: Connection
  #controller: AbortController | undefined
  #outgoing: OutgoingStream | undefined
  #earlyCredit = 0
  #inputEnded: PluginError | undefined
  #grace: NodeJS.Timeout | undefined
  #input: IncomingStream | undefined
  /** Bytes that `params` took in their line. */
  #paramsBytes: number
  /** Those of the items of the input that have not been taken, the next one first. */
  #inputBytes: number[] = []

  constructor({ method, params, id }: Request, connection: Connection, bytes: number) {
    super()
    this.method = method
    this.params = params
    this.id = id
    this.#connection = connection
    this.#paramsBytes = bytes
    connection.countHeld(bytes)
  }

  /** What the call brought has been sent on, and is not needed any more. */
  handedOver(): void {
    this.params = undefined
    this.#connection.countHeld(-this.#paramsBytes)
    this.#paramsBytes = 0
  }

  /** Aborted with the PluginError that says why. Made when first asked for: most calls never do. */
  get signal(): AbortSignal {
    if (this.#controller) return this.#controller.signal
    const controller = new AbortController()
    this.#controller = controller
    this.addListener(() => controller.abort(this.cancelled))
    return controller.signal
  }

  /** Begins to answer in pieces. `credit`: pieces that may be sent before more credit arrives; Infinity: no limit. */
  openStream(credit: number): OutgoingStream {
    const { id } = this
    if (id === undefined)
      throw new PluginError('INVALID_REQUEST', 'A notification can’t be answered in pieces')
    const limited = credit + this.#earlyCredit
    this.#outgoing = new OutgoingStream(limited, (seq, value) => this.#connection.sendPiece(id, seq, value))
    if (this.#inputEnded) this.#outgoing.endCredit(this.#inputEnded)
    if (this.cancelled) this.#outgoing.fail(this.cancelled)
    return this.#outgoing
  }

  /** The argument that arrives while the call runs. */
  get input(): AsyncIterable<unknown> {
    return this.#openInput()
  }

  addCredit(pieces: number): void {
    if (this.#outgoing) this.#outgoing.addCredit(pieces)
    else this.#earlyCredit += pieces
  }

  receiveInput(sequence: unknown, value: unknown, done: boolean, bytes: number): void {
    const input = this.#openInput()
    if (!done) {
      this.#inputBytes.push(bytes)
      this.#connection.countHeld(bytes)
    }
    const problem = done ? input.end() : input.push(sequence, value)
    if (problem) input.fail(new PluginError('INVALID_REQUEST', `The input is broken: ${problem}`))
  }

  override cancel(reason: PluginError): void {
    if (this.cancelled) return
    super.cancel(reason)
    this.#outgoing?.fail(reason)
    this.#input?.fail(reason)
    if (this.id === undefined || this.cancelGraceMs === Number.POSITIVE_INFINITY) return
    this.#grace = setTimeout(() => this.#answerEarly(reason), this.cancelGraceMs)
    this.#grace.unref()
  }

  /** The other end sends nothing any more: what waits for its credit or its input would wait for ever. */
  endInput(reason: PluginError): void {
    this.#inputEnded = reason
    this.#input?.fail(reason)
    this.#outgoing?.endCredit(reason)
  }

  /** The work has ended. */
  finish(): void {
    clearTimeout(this.#grace)
    this.#input?.end()
    this.#connection.countHeld(-this.#inputBytes.reduce((sum, bytes) => sum + bytes, this.#paramsBytes))
    this.#paramsBytes = 0
    this.#inputBytes = []
  }

  #answerEarly({ code, message }: PluginError): void {
    const { id } = this
    if (id === undefined) return
    this.answered = true
    this.#connection.answerEarly(
      id,
      new PluginError(code, `${message}, but the plugin is still working: its method ignores the signal`, {
        still_working: true,
      }),
    )
  }

  #openInput(): IncomingStream {
    const { id } = this
    this.#input ??= new IncomingStream(inputWindow, {
      grant: (n) => this.#connection.notify('$/inputCredit', { id, n }),
      taken: () => this.#connection.countHeld(-(this.#inputBytes.shift() ?? 0)),
      stop: async () => {},
    })
    if (this.#inputEnded) this.#input.fail(this.#inputEnded)
    return this.#input
  }
}
