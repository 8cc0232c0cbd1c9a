/** Largest part of a payload that is written at once, so that others need not wait behind it. */
export const pieceBytes = 64 * 1024

/** Before each piece: the payload's number, its length, the piece's offset and length. Unsigned, 32 bits, big-endian. */
export const headerBytes = 16

/** The highest number that a payload can have. */
export const lastPayloadNumber = 2 ** 32 - 1

interface PieceHeader {
  /** Of the payload. */
  number: number
  /** Length of the payload. */
  total: number
  offset: number
  /** Length of the piece. */
  length: number
}

export function writeHeader({ number, total, offset, length }: PieceHeader): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes)
  bytes.writeUInt32BE(number, 0)
  bytes.writeUInt32BE(total, 4)
  bytes.writeUInt32BE(offset, 8)
  bytes.writeUInt32BE(length, 12)
  return bytes
}

export function readHeader(bytes: Buffer): PieceHeader {
  return {
    number: bytes.readUInt32BE(0),
    total: bytes.readUInt32BE(4),
    offset: bytes.readUInt32BE(8),
    length: bytes.readUInt32BE(12),
  }
}

export interface ByteLimits {
  /** Largest payload, and most bytes of those that take turns. Default: 64 MiB. */
  maxPayloadBytes: number
  /** Most bytes that the receiver holds of payloads that are incomplete, or that no message has asked for yet. Default: 128 MiB. */
  maxWaitingBytes: number
}

export const defaultByteLimits: ByteLimits = {
  maxPayloadBytes: 64 * 1024 * 1024,
  maxWaitingBytes: 128 * 1024 * 1024,
}
