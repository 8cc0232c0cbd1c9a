import type { Readable } from 'node:stream'
import { ourCall, theirCall } from './attachments.js'
import { brokenAnswerId, whyBroken } from './broken-answer.js'
import type { ByteChannel } from './byte-channel.js'
import { FairReader, type Worth } from './fair-reader.js'
import { HeldMessages, type HoldingHandlers } from './held-messages.js'
import { LineSplitter } from './lines.js'
import { type Message, parseLine, type RequestId } from './message.js'
import { salvage } from './salvage.js'

interface ReaderOptions {
  input: Readable
  /** Longest line, in bytes. */
  maxBytes: number
  /** Whether each line must be JSON-RPC. If not, other lines are noise, and a message may stand at the end of one. */
  strict: boolean
  /** How the ids of this end's requests begin: a message behind noise is recognised by one. Empty: none is. */
  idMark: string
}

export interface ReaderHandlers extends Omit<HoldingHandlers, 'onWhole'> {
  /** A message is whole, and its turn has come. `line` is empty if it waited for bytes. `bytes`: its length, and what came beside it. */
  onMessage(message: Message, line: string, bytes: number): void
  /** Several messages came in one line of that length. */
  onBatch(items: unknown[], length: number): void
  /** A line is not JSON-RPC though it must be. */
  onUnparsable(reason: string): void
  onNoise(text: string, reason: string): void
  /** A line is empty. */
  onBlank(): void
  /** A line is longer than `limit` bytes. */
  onOversize(limit: number): void
  /** The other end sends nothing any more. */
  onEnd(): void
  /** The use of most of what came since the last call of this. */
  worth(): Worth
}

interface Input {
  stream: Readable
  lines: LineSplitter
  reader: FairReader
}

const openingBrace = 0x7b

/** Reads lines into messages. Those whose bytes are on their way wait, and later ones of the same call or session behind them. */
export class MessageReader {
  readonly #options: ReaderOptions
  readonly #handlers: ReaderHandlers
  readonly #inputs: Input[] = []
  /** Where messages come from. */
  #present: Readable
  /** Where they came from before the other end moved: what comes there now is noise. */
  #left: Readable | undefined
  #maxBytes: number
  #hasEnded = false
  #held: HeldMessages | undefined

  constructor(options: ReaderOptions, handlers: ReaderHandlers) {
    this.#options = options
    this.#handlers = handlers
    this.#present = options.input
    this.#maxBytes = options.maxBytes
    this.listenTo(options.input)
  }

  set maxBytes(bytes: number) {
    this.#maxBytes = bytes
    for (const { lines } of this.#inputs) lines.maxBytes = bytes
  }

  /** Takes messages from `stream` as well: the other end may move there. */
  listenTo(stream: Readable): void {
    const lines = new LineSplitter(
      {
        onLine: (line) => (stream === this.#left ? this.#receiveNoise(line) : this.#receiveLine(line)),
        onOversize: () =>
          stream === this.#left
            ? this.#handlers.onNoise('', 'a long line')
            : this.#handlers.onOversize(lines.maxBytes),
      },
      this.#maxBytes,
    )
    const reader = new FairReader(stream, {
      take: (part) => lines.push(part),
      end: () => {
        lines.end()
        this.#end(stream)
      },
      worth: () => this.#handlers.worth(),
    })
    this.#inputs.push({ stream, lines, reader })
    stream.once('close', () => void reader.caughtUp().then(() => this.#end(stream)))
  }

  /** The other end has moved to `stream`: what its first output still brings is noise. */
  moveTo(stream: Readable): void {
    this.#left = this.#present
    this.#present = stream
    if (stream.readableEnded || stream.destroyed) this.#end(stream)
  }

  /** Resolves when all that has been read so far has been taken. What comes from now on is not put off for long. */
  async caughtUp(): Promise<void> {
    for (const { reader } of this.#inputs) reader.hurry()
    await Promise.all(this.#inputs.map(({ reader }) => reader.caughtUp()))
  }

  /** Takes raw bytes from `channel` from now on, for messages that refer to them. */
  takeBytes(channel: ByteChannel, nonce: string): void {
    const handlers = {
      ...this.#handlers,
      onWhole: (message: Message, bytes: number) => this.#handlers.onMessage(message, '', bytes),
    }
    this.#held = new HeldMessages(channel, nonce, handlers)
  }

  /** A call of this end is over: nobody waits for what it was still to bring. */
  forgetOurs(id: RequestId): void {
    if (this.#held?.isHolding) this.#held.forget(ourCall(id))
  }

  /** A call of the other end is over. Returns whether the request itself was still waiting here. */
  forgetTheirs(id: RequestId): boolean {
    return this.#held?.isHolding === true && this.#held.forget(theirCall(id))
  }

  #end(stream: Readable): void {
    if (this.#hasEnded || stream !== this.#present) return
    this.#hasEnded = true
    this.#handlers.onEnd()
  }

  #receiveNoise(line: string | Uint8Array): void {
    if (typeof line !== 'string') this.#handlers.onNoise('(bytes that are not UTF-8)', 'not JSON')
    else if (line.trim() === '') this.#handlers.onBlank()
    else this.#handlers.onNoise(line, 'not a message')
  }

  #receiveLine(line: string | Uint8Array): void {
    const { strict } = this.#options
    if (typeof line !== 'string') {
      this.#receiveUnparsable(line)
      return
    }
    if (line.trim() === '') {
      this.#handlers.onBlank()
      return
    }
    // To fail to parse it would take far longer.
    if (!strict && !opensObject(line)) {
      this.#receiveUnparsable(line)
      return
    }
    // What a plugin says is passed on as it is; a client would not know that its number became another one.
    const parsed = parseLine(line, { exact: strict })
    if (parsed.kind === 'unparsable') this.#receiveUnparsable(line)
    else if (parsed.kind === 'batch') this.#handlers.onBatch(parsed.items, line.length)
    else this.#receiveMessage(parsed.message, line)
  }

  #receiveMessage(message: Message, line: string): void {
    if (!this.#held?.holdBack(message, line)) this.#handlers.onMessage(message, line, line.length)
  }

  #receiveUnparsable(line: string | Uint8Array): void {
    const isText = typeof line === 'string'
    if (this.#options.strict) {
      this.#handlers.onUnparsable(isText ? 'the line is not JSON' : 'the line is not UTF-8')
      return
    }
    const salvaged = this.#mayHoldMessage(line) ? salvage(Buffer.from(line), this.#options.idMark) : undefined
    this.#handlers.onNoise(salvaged?.noise ?? (isText ? line : '(bytes that are not UTF-8)'), 'not JSON')
    const text = isText ? line : Buffer.from(line).toString('latin1')
    const message = salvaged?.message ?? this.#brokenAnswer(text, line)
    if (message) this.#receiveMessage(message, text)
  }

  /** An answer that is no JSON fails its call at once, which would wait for it in vain. */
  #brokenAnswer(text: string, line: string | Uint8Array): Message | undefined {
    const id = brokenAnswerId(text)
    if (id === undefined) return undefined
    const isAwaited = this.#handlers.isAwaited({ kind: 'response', response: { jsonrpc: '2.0', id } })
    return isAwaited ? { kind: 'invalid', id, reason: whyBroken(line), owed: false } : undefined
  }

  #mayHoldMessage(line: string | Uint8Array): boolean {
    return typeof line !== 'string' || line.includes(this.#options.idMark)
  }
}

function opensObject(line: string): boolean {
  return line.charCodeAt(0) === openingBrace || line.trimStart().charCodeAt(0) === openingBrace
}
