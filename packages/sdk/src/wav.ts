// What stands in a WAV file, whatever encodes its samples. Without imports: the page of the Plugin Tester uses it too.

/** What a WAV file says of its samples, and the bytes of those. */
export interface WavFile {
  /** 1: whole numbers, 3: floating point, 6: A-law, 7: mu-law; others are compressed. */
  encoding: number
  channels: number
  /** In Hz. */
  sampleRate: number
  /** Of one sample. */
  bitsPerSample: number
  /** Bytes of sound in a second; 0 where the file does not tell. */
  byteRate: number
  /** Whether numbers, samples too, begin with their highest byte (RIFX). */
  bigEndian: boolean
  /** The chunk that says all this, without its head. */
  formatChunk: Uint8Array
  /** Undefined where the file ends before them. */
  data: Uint8Array | undefined
}

/** How files begin, and whether their numbers begin with the highest byte. */
const containers = new Map([
  ['RIFF', false],
  ['RIFX', true],
  ['RF64', false],
  ['BW64', false],
])

/** The length of what is longer than 4 GiB, or of what was not known when the header was written. */
const unknownLength = 0xffffffff

/** So many chunks has no file of sound. */
const maxChunks = 10_000

/** An encoding that stands further behind. */
const extensible = 0xfffe

/** Reads a WAV file; undefined where it is none. A length that lies is cut to what is there. */
export function readWav(file: Uint8Array): WavFile | undefined {
  const bigEndian = containers.get(asciiAt(file, 0, 4))
  if (bigEndian === undefined || asciiAt(file, 8, 4) !== 'WAVE') return undefined
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  let format: Omit<WavFile, 'data'> | undefined
  let data: Uint8Array | undefined
  let longDataLength: number | undefined
  let offset = 12
  for (let chunks = 0; chunks < maxChunks && offset + 8 <= file.length && !(format && data); chunks++) {
    const id = asciiAt(file, offset, 4)
    const start = offset + 8
    const told = view.getUint32(offset + 4, !bigEndian)
    const length = Math.min(told, file.length - start)
    if (id === 'fmt ' && length >= 16) format = formatAt(file.subarray(start, start + length), bigEndian)
    if (id === 'ds64' && length >= 16) longDataLength = Number(view.getBigUint64(start + 8, !bigEndian))
    if (id === 'data') {
      const known = told === unknownLength ? longDataLength : told
      const toEnd = known === undefined || (known === 0 && isUnfinished(view, start, bigEndian))
      data = toEnd ? file.subarray(start) : file.subarray(start, start + known)
    }
    offset = nextChunk(file, start + length, length)
  }
  return format && { ...format, data }
}

/** Whether the header was written before the samples and never completed: the file would end before they begin. */
function isUnfinished(view: DataView, dataStart: number, bigEndian: boolean): boolean {
  const told = view.getUint32(4, !bigEndian)
  return told + 8 <= dataStart || told === unknownLength
}

function formatAt(chunk: Uint8Array, bigEndian: boolean): Omit<WavFile, 'data'> | undefined {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  const tag = view.getUint16(0, !bigEndian)
  const encoding = tag === extensible && chunk.length >= 26 ? view.getUint16(24, !bigEndian) : tag
  const channels = view.getUint16(2, !bigEndian)
  const sampleRate = view.getUint32(4, !bigEndian)
  if (channels === 0 || sampleRate === 0) return undefined
  const byteRate = view.getUint32(8, !bigEndian)
  const toldBits = view.getUint16(14, !bigEndian)
  // Some writers give each sample of 24 bits four bytes, the lowest of which is empty.
  const isPadded = toldBits === 24 && blockBytes(chunk, bigEndian) === channels * 4
  const bitsPerSample = isPadded && byteRate === sampleRate * channels * 4 ? 32 : toldBits
  return { encoding, channels, sampleRate, bitsPerSample, byteRate, bigEndian, formatChunk: chunk }
}

/** The bytes of a sample of all channels, or of what is encoded together. */
function blockBytes(formatChunk: Uint8Array, bigEndian: boolean): number {
  const view = new DataView(formatChunk.buffer, formatChunk.byteOffset, formatChunk.byteLength)
  return view.getUint16(12, !bigEndian)
}

/** A chunk of odd length is followed by a byte that counts for nothing, which some writers leave out. */
function nextChunk(file: Uint8Array, end: number, length: number): number {
  if (length % 2 === 0) return end
  const [unpadded, padded] = [asciiAt(file, end, 4), asciiAt(file, end + 1, 4)]
  const isUnpadded = chunkNames.includes(unpadded) || (!isName(padded) && isName(unpadded))
  return isUnpadded ? end : end + 1
}

const chunkNames = ['fmt ', 'data', 'LIST', 'fact']

function isName(text: string): boolean {
  return /^[\x20-\x7e]{4}$/.test(text)
}

/** Whether the samples are plain numbers, whole ones or floating point. */
export function hasPlainSamples({ encoding, bitsPerSample }: WavFile): boolean {
  if (encoding === 1) return [8, 16, 24, 32].includes(bitsPerSample)
  return encoding === 3 && [32, 64].includes(bitsPerSample)
}

/** How long it sounds, in ms; undefined where the file does not tell. */
export function durationOf(wav: WavFile): number | undefined {
  const { sampleRate, channels, bitsPerSample, byteRate, data } = wav
  const rate = hasPlainSamples(wav) ? (sampleRate * channels * bitsPerSample) / 8 : byteRate
  return data && rate > 0 ? (data.length * 1000) / rate : undefined
}

/** Samples that are plain numbers with their lowest byte first: a view or, of a RIFX file, a copy. */
export function littleEndianSamples({ data, bigEndian, bitsPerSample }: WavFile): Uint8Array | undefined {
  if (!data || !bigEndian || bitsPerSample === 8) return data
  const size = bitsPerSample / 8
  return Uint8Array.from(data, (_, index) => data[index - (index % size) + size - 1 - (index % size)] ?? 0)
}

/** A sample, from -1 to 1; those of floating point may go beyond. */
export function sampleAt(view: DataView, offset: number, bitsPerSample: number, float: boolean): number {
  if (float) return bitsPerSample === 64 ? view.getFloat64(offset, true) : view.getFloat32(offset, true)
  if (bitsPerSample === 8) return (view.getUint8(offset) - 128) / 0x80
  if (bitsPerSample === 16) return view.getInt16(offset, true) / 0x8000
  if (bitsPerSample === 24)
    return (view.getInt8(offset + 2) * 0x10000 + view.getUint16(offset, true)) / 0x800000
  return view.getInt32(offset, true) / 0x80000000
}

/** A WAV file of samples encoded as `formatChunk` says. */
export function buildWav(formatChunk: Uint8Array, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const dataHead = 20 + formatChunk.length + (formatChunk.length % 2)
  const file = new Uint8Array(dataHead + 8 + data.length + (data.length % 2))
  const view = new DataView(file.buffer)
  const words: readonly [number, string][] = [
    [0, 'RIFF'],
    [8, 'WAVEfmt '],
    [dataHead, 'data'],
  ]
  for (const [offset, word] of words)
    for (let index = 0; index < word.length; index++) file[offset + index] = word.charCodeAt(index)
  view.setUint32(4, file.length - 8, true)
  view.setUint32(16, formatChunk.length, true)
  view.setUint32(dataHead + 4, data.length, true)
  file.set(formatChunk, 20)
  file.set(data, dataHead + 8)
  return file
}

/** WAV files whose samples are encoded alike as one, whatever encodes them; undefined where they are not. */
export function joinWav(files: readonly Uint8Array[]): Uint8Array<ArrayBuffer> | undefined {
  const wavs = files.map(readWav)
  const [first] = wavs
  const parts: Uint8Array[] = []
  for (const wav of wavs) {
    if (!first || !wav || wav.bigEndian || !areEqual(wav.formatChunk, first.formatChunk)) return undefined
    // What is left of a sample at its end would shift all samples of the next file.
    parts.push(wholeBlocks(wav.data ?? new Uint8Array(), blockBytes(wav.formatChunk, false)))
  }
  return first && buildWav(first.formatChunk, concat(parts))
}

/** The bytes without those of a last block that is not whole. */
export function wholeBlocks(bytes: Uint8Array, size: number): Uint8Array {
  return size > 1 && bytes.length > size ? bytes.subarray(0, bytes.length - (bytes.length % size)) : bytes
}

function areEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index])
}

export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** What stands in the format chunk of samples that are plain numbers. */
export interface PlainFormat {
  /** In Hz. */
  sampleRate: number
  channels: number
  bitsPerSample: number
  /** Whether samples are floating point. */
  float: boolean
}

export function plainFormatChunk({ sampleRate, channels, bitsPerSample, float }: PlainFormat): Uint8Array {
  const frameBytes = (channels * bitsPerSample) / 8
  const chunk = new Uint8Array(16)
  const view = new DataView(chunk.buffer)
  view.setUint16(0, float ? 3 : 1, true)
  view.setUint16(2, channels, true)
  view.setUint32(4, sampleRate, true)
  view.setUint32(8, sampleRate * frameBytes, true)
  view.setUint16(12, frameBytes, true)
  view.setUint16(14, bitsPerSample, true)
  return chunk
}

export function asciiAt(bytes: Uint8Array, offset: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + length))
}
