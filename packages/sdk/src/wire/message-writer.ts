import type { Writable } from 'node:stream'
import { createJSONRPCNotification } from 'json-rpc-2.0'
import { encode } from '../bytes.js'
import { PluginError } from '../errors.js'
import type { ByteChannel } from './byte-channel.js'
import { LineWriter } from './lines.js'
import type { Response } from './message.js'
import { errorResponse, unwritable } from './replies.js'
import type { WireTap } from './tap.js'

/** Writes messages as lines, with their bytes beside them where the other end takes them. */
export class MessageWriter {
  /** Longest line that the other end takes, in bytes. */
  maxBytes: number
  /** Where bytes go that travel beside their message. Undefined: they go inside it, as base64. */
  channel: ByteChannel | undefined
  #lines: LineWriter
  readonly #tap: WireTap | undefined

  constructor(output: Writable, maxBytes: number, tap?: WireTap) {
    this.#tap = tap
    this.#lines = new LineWriter(output)
    this.maxBytes = maxBytes
  }

  /**
   * Writes a message. Resolves when the system has taken the bytes beside it; undefined where there are none.
   *
   * @throws PluginError MESSAGE_TOO_LARGE; whatever JSON.stringify throws.
   */
  writeChecked(message: unknown): Promise<void> | undefined {
    const { channel } = this
    const { line, payloads } = channel ? channel.encode(message) : encode(message)
    const excess = this.#excess(line)
    if (excess) throw excess
    if (this.#tap?.isOn) this.#tap.sent(message)
    this.#lines.write(line)
    return channel?.send(payloads)
  }

  /** Writes a message or, where it can't be written, an error in its place. */
  write(message: unknown): void {
    try {
      void this.writeChecked(message)
    } catch (error) {
      const { id = null, error: told } = message as Partial<Response>
      // Of an error, only its data can be what no JSON is.
      const instead = told ? new PluginError(told.code, told.message) : unwritable(error)
      const response = errorResponse(id, instead)
      if (this.#tap?.isOn) this.#tap.sent(response)
      this.#lines.write(JSON.stringify(response))
    }
  }

  /** Writes one item of a stream. Resolves when the reader has caught up, and the item's bytes belong to the caller again. */
  writeItem(method: string, params: unknown): Promise<void> | undefined {
    const bytes = this.writeChecked(createJSONRPCNotification(method, params))
    const lines = this.#lines.caughtUp()
    return lines && bytes ? Promise.all([lines, bytes]).then(() => {}) : (lines ?? bytes)
  }

  notify(method: string, params: unknown): void {
    this.write(createJSONRPCNotification(method, params))
  }

  /** Bytes that wait for the reader. */
  get unsentBytes(): number {
    return this.#lines.unsentBytes + (this.channel?.unsentBytes ?? 0)
  }

  /** Lines go to `output` from now on. */
  moveTo(output: Writable): void {
    this.#lines.flush()
    this.#lines = new LineWriter(output)
  }

  /** Hands over what is still to be written. */
  flush(): void {
    this.#lines.flush()
    this.channel?.flush()
  }

  close(): void {
    this.#lines.flush()
    this.#lines.close()
  }

  #excess(line: string): PluginError | undefined {
    const limit = this.maxBytes
    if (line.length * 3 <= limit) return undefined
    const bytes = Buffer.byteLength(line)
    if (bytes <= limit) return undefined
    return new PluginError('MESSAGE_TOO_LARGE', `The message has ${bytes} bytes; the limit is ${limit}`, {
      bytes,
      limit,
    })
  }
}
