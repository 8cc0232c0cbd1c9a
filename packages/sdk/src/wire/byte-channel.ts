import type { Duplex } from 'node:stream'
import type { BytesReference, EncodedMessage, Payload } from '../bytes.js'
import { type ByteLimits, defaultByteLimits } from './byte-frames.js'
import { ByteReceiver } from './byte-receiver.js'
import { ByteSender } from './byte-sender.js'
import { FairReader } from './fair-reader.js'

/** Bytes may come before their message, but not for long. */
const maxUnaskedBytes = 4 * 1024 * 1024

/** How long it may take until it is known why the channel has ended, in ms: mostly, the other end is gone. */
const endedMs = 1000

/** Raw bytes beside the messages of a connection: payloads by number, in pieces that take turns. */
export class ByteChannel {
  readonly #nonce: string
  readonly #sender: ByteSender
  readonly #receiver: ByteReceiver
  /** What has come, with no message waiting for bytes, since the last one asked for some. */
  #unaskedBytes = 0

  /** @param onBreak Called once, when nothing can be received any more. What is sent arrives all the same. */
  constructor(stream: Duplex, nonce: string, onBreak: () => void, limits: ByteLimits = defaultByteLimits) {
    this.#nonce = nonce
    this.#sender = new ByteSender(stream, nonce, limits.maxPayloadBytes)
    this.#receiver = new ByteReceiver(limits, onBreak)
    // Also what comes after a break is read, or the other end would wait for ever to get rid of it.
    new FairReader(stream, {
      take: (part) => this.#receive(part),
      worth: () => (this.#unaskedBytes > maxUnaskedBytes ? 'dropped' : 'asked'),
    })
    stream.on('error', (error) => this.#end(error))
    stream.on('close', () => this.#end(new Error('the byte channel is closed')))
  }

  /** Payloads that were given up: broken, too large, or never asked for. */
  get dropped(): number {
    return this.#receiver.dropped
  }

  /** Encodes a message. Its large payloads are for `send()`. */
  encode(message: unknown): EncodedMessage {
    return this.#sender.encode(message)
  }

  /** Sends the payloads of a message. Resolves when the system has taken them; undefined where there are none. */
  send(payloads: readonly Payload[]): Promise<void> | undefined {
    return this.#sender.send(payloads)
  }

  /** Bytes that wait to be sent. */
  get unsentBytes(): number {
    return this.#sender.unsentBytes
  }

  /** Hands everything to the operating system, as long as it takes it. */
  flush(): void {
    this.#sender.flush()
  }

  /** The other end takes no bytes any more: messages carry base64 from now on. */
  stopSending(): void {
    this.#sender.stop()
  }

  /** The payload of a reference. Rejects where it is broken, or not of the length that the message says. */
  take(reference: BytesReference): Promise<Uint8Array> {
    this.#unaskedBytes = 0
    return this.#receiver.take(this.#numberOf(reference), reference.length)
  }

  /** Nobody asks for that payload any more: what has come of it goes, and what is still to come goes nowhere. */
  discard(reference: BytesReference): void {
    this.#receiver.discard(this.#numberOf(reference), reference.length)
  }

  /** Receives nothing any more. What is sent arrives all the same. */
  breakReceiving(error: Error): void {
    this.#receiver.break(error)
  }

  #numberOf({ $bytes: reference }: BytesReference): number {
    return Number(reference.slice(this.#nonce.length + 1))
  }

  #receive(part: Buffer): void {
    if (!this.#receiver.isAwaited) this.#unaskedBytes += part.length
    this.#receiver.receive(part)
  }

  /** Calls whose bytes will not come fail with what has become of the other end, if that is reported in time. */
  #end(error: Error): void {
    this.#sender.stop()
    setTimeout(() => this.#receiver.break(error), endedMs).unref()
  }
}
