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

/** Keeps the payloads of a message, and says what stands for each in its JSON. */
export interface PayloadCollector {
  collect(data: Uint8Array): BytesReference
}

/** Takes the payloads of the message that is being made; undefined where the connection has no byte channel. */
let collector: PayloadCollector | undefined

/** The JSON of a message whose large payloads `takes` collects. */
export function stringifyWith(takes: PayloadCollector, message: unknown): string {
  collector = takes
  try {
    return JSON.stringify(message)
  } finally {
    collector = undefined
  }
}

/** Bytes in a message. `JSON.stringify` makes base64 of them or, on a connection with a byte channel, a reference. */
export class Bytes {
  constructor(readonly data: Uint8Array) {}

  toJSON(): string | BytesReference {
    const { data } = this
    if (collector && data.length >= inlineBytes) return collector.collect(data)
    return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')
  }
}
