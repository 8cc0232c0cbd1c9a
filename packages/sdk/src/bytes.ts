/** Smaller payloads go inside their message, as base64: a second write would cost more. */
export const inlineBytes = 2048

/** What an `…_b64` field holds in place of base64 when its bytes travel beside the message. */
export interface BytesReference {
  /** `<nonce>:<number>`. The nonce is agreed in the handshake: no data of a client can be taken for a reference. */
  $bytes: string
  length: number
}

export function isBytesReference(value: object, nonce: string): value is BytesReference {
  const { $bytes: bytes, length } = value as Partial<BytesReference>
  return typeof bytes === 'string' && typeof length === 'number' && bytes.startsWith(`${nonce}:`)
}

/** Bytes as an application or an author gets them: a Buffer's `slice()` would share its memory, and its JSON is another. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return Buffer.isBuffer(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : bytes
}

/** Decodes base64, as leniently as Node. Small ones lie in memory that Node shares: they are copied, so that `buffer` is theirs alone. */
export function bytesOfBase64(text: string): Uint8Array {
  const decoded = Buffer.from(text, 'base64')
  return decoded.byteLength === decoded.buffer.byteLength ? plainBytes(decoded) : new Uint8Array(decoded)
}

/** Bytes that travel beside their message, which refers to them by their number. */
export interface Payload {
  readonly number: number
  readonly data: Uint8Array
}

/** Numbers the payloads of a connection. */
export interface PayloadNumbers {
  readonly nonce: string
  /** @throws PluginError MESSAGE_TOO_LARGE */
  next(data: Uint8Array): number
}

/** A message as JSON, and what travels beside it. */
export interface EncodedMessage {
  line: string
  payloads: readonly Payload[]
}

const noPayloads: readonly Payload[] = []

/** Of the message that is being encoded. */
let numbers: PayloadNumbers | undefined
let payloads: Payload[] | undefined

/**
 * Encodes a message.
 *
 * @param given Numbers its large payloads. Without it, they go inside the message.
 * @throws Whatever JSON.stringify throws.
 */
export function encode(message: unknown, given?: PayloadNumbers): EncodedMessage {
  numbers = given
  try {
    const line = JSON.stringify(message)
    return { line, payloads: payloads ?? noPayloads }
  } finally {
    numbers = undefined
    payloads = undefined
  }
}

/** Results and pieces that bytes came beside, so that nobody needs to search the others for bytes. */
const holders = new WeakSet<object>()

/** Bytes that came beside a message are in this result or piece now. */
export function markBytes(value: unknown): void {
  if (typeof value === 'object' && value !== null) holders.add(value)
}

/** Whether a result or a piece, as it came over the wire, holds `Bytes`. A copy of one is not known. */
export function holdsBytes(value: unknown): boolean {
  return typeof value === 'object' && value !== null && (value instanceof Bytes || holders.has(value))
}

/** Bytes in a message. `JSON.stringify` makes base64 of them or, on a connection with a byte channel, a reference. */
export class Bytes {
  constructor(readonly data: Uint8Array) {}

  toJSON(): string | BytesReference {
    const { data } = this
    if (!numbers || data.length < inlineBytes)
      return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')
    const number = numbers.next(data)
    payloads ??= []
    payloads.push({ number, data })
    return { $bytes: `${numbers.nonce}:${number}`, length: data.length }
  }
}
