import { createHash } from 'node:crypto'
import { crcOf } from './crc.js'
import type { Encoder } from './encode.js'
import { toPcm } from './samples.js'

/** FLAC of one channel and 16 bits a sample: fixed predictors and Rice codes (RFC 9639). */

const blockSamples = 4096
/** The rest of a fixed predictor of this order at most is coded. */
const highestOrder = 4
const highestRice = 14
/** Offsets in the header, in bytes. */
const places = { rate: 18, digest: 26, end: 42 }

const crc8 = crcOf(8, 0x07)
const crc16 = crcOf(16, 0x8005)

/** Makes frames behind a header that leaves the length open; `seal()` closes it. */
export class FlacEncoder implements Encoder {
  readonly #sampleRate: number
  readonly #digest = createHash('md5')
  readonly #head: Uint8Array[]
  #pending = new Int16Array()
  #samples = 0
  #frames = 0

  constructor(sampleRate: number) {
    this.#sampleRate = sampleRate
    this.#head = [headerOf(sampleRate)]
  }

  push(samples: Float32Array): Uint8Array[] {
    const bytes = toPcm(samples)
    this.#digest.update(bytes)
    this.#samples += samples.length
    const input = new Int16Array(this.#pending.length + samples.length)
    input.set(this.#pending)
    input.set(new Int16Array(bytes.buffer), this.#pending.length)
    const frames: Uint8Array[] = []
    let start = 0
    for (; start + blockSamples <= input.length; start += blockSamples)
      frames.push(this.#frame(input.subarray(start, start + blockSamples)))
    this.#pending = input.slice(start)
    return [...this.#head.splice(0), ...frames]
  }

  end(): Uint8Array[] {
    const last = this.#pending.length > 0 ? [this.#frame(this.#pending)] : []
    return [...this.#head.splice(0), ...last]
  }

  seal(file: Uint8Array): Uint8Array {
    const view = Buffer.from(file.buffer, file.byteOffset, places.end)
    view.writeBigUInt64BE(view.readBigUInt64BE(places.rate) | BigInt(this.#samples), places.rate)
    view.set(this.#digest.digest(), places.digest)
    return file
  }

  free(): void {}

  #frame(samples: Int16Array): Uint8Array {
    return frameOf(samples, this.#frames++, this.#sampleRate)
  }
}

function headerOf(sampleRate: number): Uint8Array {
  const header = Buffer.alloc(places.end)
  header.write('fLaC', 'latin1')
  header.writeUInt32BE(0x8000_0022, 4)
  header.writeUInt16BE(blockSamples, 8)
  header.writeUInt16BE(blockSamples, 10)
  header.writeBigUInt64BE((BigInt(sampleRate) << 44n) | (15n << 36n), places.rate)
  return header
}

function frameOf(samples: Int16Array, index: number, sampleRate: number): Uint8Array {
  // The sum that decides on the order keeps a sample below 20 bits.
  const bits = new BitWriter(samples.length * 3 + 256)
  const tellsRate = sampleRate < 2 ** 16
  bits.write(0xfff8, 16)
  bits.write(0x70 | (tellsRate ? 0x0d : 0), 8)
  bits.write(0x08, 8)
  for (const byte of codedNumber(index)) bits.write(byte, 8)
  bits.write(samples.length - 1, 16)
  if (tellsRate) bits.write(sampleRate, 16)
  bits.write(crc8(bits.bytes()), 8)
  const { order, rest } = predict(samples)
  bits.write((8 | order) << 1, 8)
  for (const sample of samples.subarray(0, order)) bits.write(sample & 0xffff, 16)
  writeRest(bits, rest)
  bits.align()
  bits.write(crc16(bits.bytes()), 16)
  return bits.bytes()
}

/** As UTF-8 would write a character of that number. */
export function codedNumber(value: number): number[] {
  if (value < 0x80) return [value]
  const bytes: number[] = []
  let left = value
  for (let most = 0x3f; left > most || bytes.length === 0; most >>= 1) {
    bytes.unshift(0x80 | (left & 0x3f))
    left >>>= 6
  }
  return [((0xff << (7 - bytes.length)) & 0xff) | left, ...bytes]
}

/** The order whose rest is the smallest, and its rest: each order’s is the difference of that of the order below. */
function predict(samples: Int16Array): { order: number; rest: Int32Array } {
  const sums = sumsOf(samples)
  const orders = samples.length > highestOrder ? sums.length : 1
  let order = 0
  for (let next = 1; next < orders; next++) if ((sums[next] ?? 0) < (sums[order] ?? 0)) order = next
  const rest = Int32Array.from(samples)
  for (let below = 0; below < order; below++)
    for (let index = rest.length - 1; index > below; index--)
      rest[index] = (rest[index] ?? 0) - (rest[index - 1] ?? 0)
  return { order, rest: rest.subarray(order) }
}

/** How large the rests of all orders are, from where each of them has one. */
function sumsOf(samples: Int16Array): Float64Array {
  const sums = new Float64Array(highestOrder + 1)
  const last = new Float64Array(highestOrder + 1)
  for (let index = 0; index < samples.length; index++) {
    let rest = samples[index] ?? 0
    for (let order = 0; order <= highestOrder; order++) {
      if (index >= highestOrder) sums[order] = (sums[order] ?? 0) + Math.abs(rest)
      const before = last[order] ?? 0
      last[order] = rest
      rest -= before
    }
  }
  return sums
}

/** With one Rice code for all of a block. */
function writeRest(bits: BitWriter, rest: Int32Array): void {
  const folded = rest.map((value) => (value << 1) ^ (value >> 31))
  const rice = riceOf(folded)
  bits.write(0, 6)
  bits.write(rice, 4)
  for (const value of folded) {
    let zeros = value >> rice
    for (; zeros > 16; zeros -= 16) bits.write(0, 16)
    bits.write(1, zeros + 1)
    bits.write(value & ((1 << rice) - 1), rice)
  }
}

/** How many bits of each number stand as they are, so that all together are shortest. */
function riceOf(folded: Int32Array): number {
  let sum = 0
  for (const value of folded) sum += value
  let rice = 0
  while (rice < highestRice && sum / 2 ** (rice + 1) > folded.length) rice++
  return rice
}

class BitWriter {
  readonly #bytes: Uint8Array
  #length = 0
  /** Bits that make no byte yet. */
  #held = 0
  #count = 0

  constructor(mostBytes: number) {
    this.#bytes = new Uint8Array(mostBytes)
  }

  /** @param bits At most 24. */
  write(value: number, bits: number): void {
    this.#held = (this.#held << bits) | value
    this.#count += bits
    while (this.#count >= 8) {
      this.#count -= 8
      this.#bytes[this.#length++] = this.#held >>> this.#count
    }
    this.#held &= (1 << this.#count) - 1
  }

  /** Fills the last byte. */
  align(): void {
    if (this.#count > 0) this.write(0, 8 - this.#count)
  }

  /** What is whole so far. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }
}
