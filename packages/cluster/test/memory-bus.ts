import type { Bus, BusChange, BusMessage, BusSubscription } from '../src/bus.js'

interface Subscribed {
  owner: MemoryBus
  pattern: string
  take(message: BusMessage): void
}

/** What several connections of a test share: a server without a process. */
export class MemoryServer {
  readonly #subscribed = new Set<Subscribed>()

  connect(): MemoryBus {
    return new MemoryBus(this.#subscribed)
  }
}

/** One connection: messages arrive in order, in a later turn, and are lost while it or the receiver is cut off. */
export class MemoryBus implements Bus {
  readonly #all: Set<Subscribed>
  readonly #listeners = new Set<(change: BusChange) => void>()
  isConnected = true
  /** Messages that were published. */
  published = 0

  constructor(all: Set<Subscribed>) {
    this.#all = all
  }

  publish(subject: string, data: Uint8Array, reply = ''): void {
    this.published += 1
    if (!this.isConnected) return
    // The connection copies at once what it sends.
    const copy = Uint8Array.from(data)
    queueMicrotask(() => {
      if (this.#deliver({ subject, data: copy, reply }) || reply === '') return
      this.#deliver({ subject: reply, data: new Uint8Array(), headers: { code: 503 } }, this)
    })
  }

  subscribe(pattern: string, take: (message: BusMessage) => void): BusSubscription {
    const subscribed: Subscribed = { owner: this, pattern, take }
    this.#all.add(subscribed)
    return { unsubscribe: () => void this.#all.delete(subscribed) }
  }

  flush(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  onChange(listen: (change: BusChange) => void): () => void {
    this.#listeners.add(listen)
    return () => void this.#listeners.delete(listen)
  }

  change(change: BusChange): void {
    if (change.type === 'lost') this.isConnected = false
    if (change.type === 'back') this.isConnected = true
    for (const listen of [...this.#listeners]) listen(change)
  }

  #deliver(message: BusMessage, only?: MemoryBus): boolean {
    const receivers = [...this.#all].filter(
      ({ owner, pattern }) =>
        owner.isConnected && (only === undefined || owner === only) && matches(pattern, message.subject),
    )
    for (const { take } of receivers) take(message)
    return receivers.length > 0
  }
}

function matches(pattern: string, subject: string): boolean {
  const [wanted, told] = [pattern.split('.'), subject.split('.')]
  if (wanted.at(-1) === '>')
    return (
      told.length >= wanted.length &&
      matches(wanted.slice(0, -1).join('.'), told.slice(0, wanted.length - 1).join('.'))
    )
  return (
    wanted.length === told.length && wanted.every((token, index) => token === '*' || token === told[index])
  )
}
