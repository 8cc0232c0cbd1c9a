import type { Bus, BusChange, BusMessage, BusSubscription } from '../src/bus.js'
import { frameKinds } from '../src/frames.js'

/** What happens to a frame: it is lost, comes twice, or is overtaken by the next one. */
export type Fault = 'drop' | 'repeat' | 'reorder'

/** A bus that does one of these to the frame of a number, counted from 1, and carries all others as they are. Control frames have none. */
export class LossyBus implements Bus {
  readonly #bus: Bus
  readonly #fault: Fault
  readonly #at: number
  #published = 0
  #held: (() => void) | undefined
  /** Whether it has come to that frame. */
  hasHappened = false

  constructor(bus: Bus, fault: Fault, at: number) {
    this.#bus = bus
    this.#fault = fault
    this.#at = at
  }

  get isConnected(): boolean {
    return this.#bus.isConnected
  }

  publish(subject: string, data: Uint8Array, reply?: string): void {
    const publish = (): void => this.#bus.publish(subject, data, reply)
    if (data[0] === frameKinds.control) {
      publish()
      return
    }
    this.#published += 1
    if (this.#published === this.#at) {
      this.hasHappened = true
      if (this.#fault === 'reorder') this.#held = publish
      if (this.#fault !== 'repeat') return
      publish()
    }
    publish()
    this.#held?.()
    this.#held = undefined
  }

  subscribe(subject: string, take: (message: BusMessage) => void): BusSubscription {
    return this.#bus.subscribe(subject, take)
  }

  flush(): Promise<void> {
    return this.#bus.flush()
  }

  onChange(listen: (change: BusChange) => void): () => void {
    return this.#bus.onChange(listen)
  }
}
