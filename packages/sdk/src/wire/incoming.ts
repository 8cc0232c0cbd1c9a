import { createJSONRPCSuccessResponse } from 'json-rpc-2.0'
import { PluginError } from '../errors.js'
import { type Connection, IncomingCall } from './call.js'
import type { Request, RequestId, Response } from './message.js'
import type { MessageWriter } from './message-writer.js'
import { errorResponse, invalidRequest } from './replies.js'

interface IncomingOptions {
  /** Answers a request, or takes a notification. */
  handle(call: IncomingCall): unknown
  /** Called when a call is answered. */
  onEnd(id: RequestId): void
  /** Most bytes of requests that wait until they are worked on or sent on. */
  maxHeldBytes: number
  /** Whether requests are done strictly one after another. */
  sequential: boolean
}

/** The calls that the other end makes of this one. */
export class IncomingCalls {
  readonly #writer: MessageWriter
  readonly #options: IncomingOptions
  readonly #calls = new Map<RequestId, IncomingCall>()
  /** Waiters that resolve once fewer than `calls` calls are running. */
  #idleWaiters: { calls: number; resolve(): void }[] = []
  #running = 0
  #heldBytes = 0
  #bytesInFlight = 0
  /** The last of the requests that are done one after another. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(writer: MessageWriter, options: IncomingOptions) {
    this.#writer = writer
    this.#options = options
  }

  has(id: RequestId): boolean {
    return this.#calls.has(id)
  }

  /** Calls that are being worked on. */
  get running(): number {
    return this.#running
  }

  /** Bytes of requests and inputs that have been neither sent on nor answered. */
  get heldBytes(): number {
    return this.#heldBytes
  }

  /** Bytes of requests that are being worked on, whether they have been sent on or not. */
  get bytesInFlight(): number {
    return this.#bytesInFlight
  }

  /** Takes a request or a notification. Resolves to the response that is owed for it, if any. */
  receive(request: Request, bytes: number): Promise<Response | undefined> | Response | undefined {
    const { id } = request
    if (id !== undefined && this.#calls.has(id))
      return invalidRequest(id, `the id ${JSON.stringify(id)} is in flight already`)
    const { maxHeldBytes, sequential } = this.#options
    if (this.#heldBytes > maxHeldBytes)
      return id === undefined ? undefined : errorResponse(id, heldTooMuch(maxHeldBytes))
    const call = new IncomingCall(request, this.#connection, bytes)
    if (id !== undefined) this.#calls.set(id, call)
    this.#running += 1
    this.#bytesInFlight += bytes
    if (!sequential) return this.#serve(call, bytes)
    const served = this.#last.then(() => this.#serve(call, bytes))
    this.#last = served
    return served
  }

  /** The caller can take more pieces of the answer. */
  addCredit(id: RequestId, pieces: number): void {
    this.#calls.get(id)?.addCredit(pieces)
  }

  /** Takes an item of an argument that arrives while its call runs. */
  receiveInput(id: RequestId, sequence: unknown, value: unknown, done: boolean, bytes: number): void {
    this.#calls.get(id)?.receiveInput(sequence, value, done, bytes)
  }

  /** Returns false where there is no such call. */
  cancel(id: RequestId, reason: PluginError): boolean {
    const call = this.#calls.get(id)
    call?.cancel(reason)
    return call !== undefined
  }

  cancelAll(reason: PluginError): void {
    for (const call of this.#calls.values()) call.cancel(reason)
  }

  /** Cancels all calls but one. Resolves when the work on them has ended. */
  cancelOthers(kept: IncomingCall, reason: PluginError): Promise<void> {
    for (const call of this.#calls.values()) if (call !== kept) call.cancel(reason)
    return this.#fewerThan(2)
  }

  /** Input ended: calls that still need credit or input fail; others may finish. */
  endInput(reason: PluginError): void {
    for (const call of this.#calls.values()) call.endInput(reason)
  }

  /** Resolves when no call is being worked on. */
  idle(): Promise<void> {
    return this.#fewerThan(1)
  }

  #fewerThan(calls: number): Promise<void> {
    if (this.#running < calls) return Promise.resolve()
    return new Promise((resolve) => this.#idleWaiters.push({ calls, resolve }))
  }

  /** Works on a call. Resolves to the response that is owed for it, if any. */
  #serve(call: IncomingCall, bytes: number): Promise<Response | undefined> {
    const { id = null } = call
    return this.#handle(call).then(
      (result) => this.#finish(call, bytes, createJSONRPCSuccessResponse(id, result)),
      (error: unknown) => this.#finish(call, bytes, errorResponse(id, error)),
    )
  }

  #handle(call: IncomingCall): Promise<unknown> {
    try {
      // It may have been cancelled while it waited for its turn.
      if (call.cancelled) throw call.cancelled
      return Promise.resolve(this.#options.handle(call))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #finish(call: IncomingCall, bytes: number, response: Response): Response | undefined {
    call.finish()
    this.#bytesInFlight -= bytes
    this.#running -= 1
    if (this.#idleWaiters.length > 0) queueMicrotask(() => this.#announceIdle())
    if (call.id === undefined || call.answered) return undefined
    this.#end(call.id)
    return response
  }

  #end(id: RequestId): void {
    this.#calls.delete(id)
    this.#options.onEnd(id)
  }

  #announceIdle(): void {
    const idle = this.#idleWaiters.filter(({ calls }) => this.#running < calls)
    this.#idleWaiters = this.#idleWaiters.filter((waiter) => !idle.includes(waiter))
    for (const { resolve } of idle) resolve()
  }

  readonly #connection: Connection = {
    sendPiece: (id, seq, value) => this.#writer.writeItem('$/stream', { id, seq, value }),
    notify: (method, params) => this.#writer.notify(method, params),
    answerEarly: (id, error) => {
      this.#end(id)
      this.#writer.write(errorResponse(id, error))
    },
    countHeld: (bytes) => {
      this.#heldBytes += bytes
    },
  }
}

function heldTooMuch(limit: number): PluginError {
  const message = `Requests of more than ${limit} bytes wait already. Send this one again when some are answered`
  return new PluginError('RESOURCE_EXHAUSTED', message, { limit })
}
