import { crcOf } from './crc.js'

/** The container of Opus: pages of packets (RFC 3533, RFC 7845). */

const flags = { continued: 1, first: 2, last: 4 }
const headerBytes = 27
/** Segments of a page, each of at most 255 bytes. */
const mostSegments = 255

const crc32 = crcOf(32, 0x04c1_1db7)

/** Writes one stream of packets. */
export class OggWriter {
  readonly #serial: number
  #pages = 0

  constructor(serial: number) {
    this.#serial = serial
  }

  /**
   * A page of whole packets.
   *
   * @param position Samples at 48 kHz up to its end.
   * @throws RangeError where the packets are too long for a page.
   */
  page(packets: readonly Uint8Array[], position: number, isLast = false): Uint8Array {
    const lengths = packets.flatMap(({ length }) => [
      ...Array.from({ length: Math.floor(length / 255) }, () => 255),
      length % 255,
    ])
    if (lengths.length > mostSegments) throw new RangeError('The packets are too long for a page')
    const size = packets.reduce((sum, { length }) => sum + length, 0)
    const page = Buffer.alloc(headerBytes + lengths.length + size)
    page.write('OggS', 'latin1')
    page[5] = (this.#pages === 0 ? flags.first : 0) | (isLast ? flags.last : 0)
    page.writeBigUInt64LE(BigInt(position), 6)
    page.writeUInt32LE(this.#serial, 14)
    page.writeUInt32LE(this.#pages++, 18)
    page[26] = lengths.length
    page.set(lengths, headerBytes)
    page.set(Buffer.concat(packets), headerBytes + lengths.length)
    page.writeUInt32LE(crc32(page), 22)
    return page
  }
}

/** A packet of an Ogg file. */
export interface OggPacket {
  data: Uint8Array
  /** Samples at 48 kHz up to the end of the page that it ends in; undefined where the page does not tell. */
  position: number | undefined
  /** Whether the stream ends with its page. */
  isLast: boolean
}

/** The packets of the first stream of a file. What is no page is passed over; a packet that is cut off is left out. */
export function* packetsOf(file: Uint8Array): Generator<OggPacket> {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  let serial: number | undefined
  let begun: Uint8Array[] = []
  for (let at = bytes.indexOf('OggS'); at >= 0; at = bytes.indexOf('OggS', at)) {
    const segments = bytes[at + 26] ?? 0
    let start = at + headerBytes + segments
    if (start > bytes.length) return
    const told = bytes.readBigInt64LE(at + 6)
    const flag = bytes[at + 5] ?? 0
    const page = { position: told < 0n ? undefined : Number(told), isLast: (flag & flags.last) !== 0 }
    serial ??= bytes.readUInt32LE(at + 14)
    const isOurs = bytes.readUInt32LE(at + 14) === serial
    if (isOurs && !(flag & flags.continued)) begun = []
    let length = 0
    for (const segment of bytes.subarray(at + headerBytes, at + headerBytes + segments)) {
      length += segment
      if (segment === 255) continue
      if (isOurs && start + length <= bytes.length) {
        yield { data: Buffer.concat([...begun, bytes.subarray(start, start + length)]), ...page }
        begun = []
      }
      start += length
      length = 0
    }
    if (isOurs && length > 0) begun.push(bytes.subarray(start, start + length))
    at = start + length
  }
}
