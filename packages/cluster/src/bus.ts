/** What lies beneath links, nodes and callers: messages by subject, at most once, in order from one sender to one receiver. */
export interface Bus {
  /**
   * Sends a message, without a word about whether it arrives: nothing is sent while the bus is not connected. Where nobody has
   * subscribed to the subject, `reply` gets an empty message with the code 503.
   */
  publish(subject: string, data: Uint8Array, reply?: string): void
  /** `take` does nothing but hand over. `*` is any token of a subject, `>` any number of them at its end. */
  subscribe(subject: string, take: (message: BusMessage) => void): BusSubscription
  /** Resolves when the server has taken all that was sent and subscribed so far. */
  flush(): Promise<void>
  readonly isConnected: boolean
  /** Calls `listen` at each change. Returns what ends that. */
  onChange(listen: (change: BusChange) => void): () => void
}

export interface BusMessage {
  readonly subject: string
  /** Of the bus: copy what is kept. */
  readonly data: Uint8Array
  /** Where an answer goes. Empty or absent: nowhere. */
  readonly reply?: string
  /** Its code is 503 where a message of this end has reached nobody. */
  readonly headers?: { readonly code: number }
}

export interface BusSubscription {
  unsubscribe(): void
}

export type BusChange =
  /** The connection is lost. What is published from now on reaches nobody. */
  | { type: 'lost' }
  /** It is there again, with all subscriptions. */
  | { type: 'back' }
  /** A server of the bus has gone: others who were connected to it need a moment to be there again. */
  | { type: 'moved' }
  /** The server does not allow what was published or subscribed. */
  | { type: 'refused'; operation: 'publish' | 'subscription'; subject: string }
  /** It is closed for good. */
  | { type: 'closed' }

/** Whether a message says that one of this end reached nobody. */
export function isUndelivered({ data, headers }: BusMessage): boolean {
  return data.length === 0 && headers?.code === 503
}
