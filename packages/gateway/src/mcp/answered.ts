import {
  isJSONRPCRequest,
  isJSONRPCResponse,
  isSpecType,
  type JSONRPCMessage,
  type RequestId,
  type Transport,
} from '@modelcontextprotocol/server'

/** A transport that knows which requests have no answer yet. */
export class AnsweredTransport implements Transport {
  onclose?: NonNullable<Transport['onclose']>
  onerror?: NonNullable<Transport['onerror']>
  onmessage?: NonNullable<Transport['onmessage']>
  readonly #transport: Transport
  readonly #unanswered = new Set<RequestId>()
  #onIdle = (): void => {}

  constructor(transport: Transport) {
    this.#transport = transport
  }

  start(): Promise<void> {
    this.#transport.onmessage = (message, extra) => {
      this.#count(message)
      this.onmessage?.(message, extra)
    }
    this.#transport.onerror = (error) => this.onerror?.(error)
    this.#transport.onclose = () => {
      this.#unanswered.clear()
      this.#onIdle()
      this.onclose?.()
    }
    return this.#transport.start()
  }

  async send(message: JSONRPCMessage): Promise<void> {
    await this.#transport.send(message)
    if (isJSONRPCResponse(message)) this.#answered(message.id)
  }

  close(): Promise<void> {
    return this.#transport.close()
  }

  /** Resolves when all requests are answered, or nobody reads answers any more. */
  async idle(): Promise<void> {
    if (this.#unanswered.size === 0) return
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve
    })
  }

  #count(message: JSONRPCMessage): void {
    // Who subscribes has the answer when the connection ends.
    if (isJSONRPCRequest(message) && message.method !== 'subscriptions/listen')
      this.#unanswered.add(message.id)
    // What is cancelled gets no answer.
    if (isSpecType.CancelledNotification(message)) this.#answered(message.params.requestId)
  }

  #answered(id: RequestId | undefined): void {
    if (id !== undefined) this.#unanswered.delete(id)
    if (this.#unanswered.size === 0) this.#onIdle()
  }
}
