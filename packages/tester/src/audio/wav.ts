/** Sound as samples from -1 to 1, of one channel. */
export interface Sound {
  samples: Float32Array
  sampleRate: number
}

export function duration({ samples, sampleRate }: Sound): number {
  return samples.length / sampleRate
}

/** What samples a WAV file may have: by format (1: whole numbers, 3: floats) and bits. */
const readers: Record<string, (view: DataView, at: number) => number> = {
  '1/8': (view, at) => (view.getUint8(at) - 0x80) / 0x80,
  '1/16': (view, at) => view.getInt16(at, true) / 0x8000,
  '1/24': (view, at) => (view.getInt8(at + 2) * 0x10000 + view.getUint16(at, true)) / 0x800000,
  '1/32': (view, at) => view.getInt32(at, true) / 0x80000000,
  '3/32': (view, at) => view.getFloat32(at, true),
}

/** Format of a WAV file whose real one stands further behind. */
const extensible = 0xfffe

/** Reads a WAV file; undefined for anything else. */
export function decodeWav(file: Uint8Array): Sound | undefined {
  const layout = layoutOf(file)
  return layout && mix(viewOf(file), layout)
}

/** Whether it is a WAV file of 16-bit samples, which whatever reads WAV files can read. */
export function isPlainWav(file: Uint8Array): boolean {
  const layout = layoutOf(file)
  return layout?.format === 1 && layout.bytes === 2
}

function viewOf(file: Uint8Array): DataView {
  return new DataView(file.buffer, file.byteOffset, file.byteLength)
}

function layoutOf(file: Uint8Array): Layout | undefined {
  const view = viewOf(file)
  if (file.length < 44 || tag(view, 0) !== 'RIFF' || tag(view, 8) !== 'WAVE') return undefined
  let shape: Shape | undefined
  for (let at = 12; at + 8 <= file.length; ) {
    // A stream may not know its length: the data then reaches to the end.
    const size = Math.min(view.getUint32(at + 4, true), file.length - at - 8)
    if (tag(view, at) === 'fmt ') shape = shapeAt(view, at + 8)
    else if (tag(view, at) === 'data' && shape) return { ...shape, at: at + 8, size }
    at += 8 + size + (size % 2)
  }
  return undefined
}

/** What the samples of a WAV file are like. */
interface Shape {
  format: number
  channels: number
  sampleRate: number
  /** Of one sample. */
  bytes: number
  read(view: DataView, at: number): number
}

/** And where they lie. */
interface Layout extends Shape {
  at: number
  size: number
}

function shapeAt(view: DataView, at: number): Shape | undefined {
  const told = view.getUint16(at, true)
  const bits = view.getUint16(at + 14, true)
  const format = told === extensible && at + 26 <= view.byteLength ? view.getUint16(at + 24, true) : told
  const read = readers[`${format}/${bits}`]
  const channels = view.getUint16(at + 2, true)
  if (!read || channels === 0) return undefined
  return { format, channels, sampleRate: view.getUint32(at + 4, true), bytes: bits / 8, read }
}

/** Makes a WAV file of 16-bit samples. */
export function encodeWav({ samples, sampleRate }: Sound): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(samples.length * 2)
  const view = new DataView(data.buffer)
  samples.forEach((sample, index) => {
    view.setInt16(index * 2, Math.max(-1, Math.min(1, sample)) * 0x7fff, true)
  })
  return wrapPcm(data, { sampleRate, channels: 1 })
}

interface PcmShape {
  /** In Hz. Default: 24000. */
  sampleRate?: number | undefined
  /** Default: 1. */
  channels?: number | undefined
}

/** Gives samples of 16 bits the header of a WAV file. */
export function wrapPcm(
  data: Uint8Array,
  { sampleRate = 24_000, channels = 1 }: PcmShape,
): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(44 + data.length)
  const view = new DataView(file.buffer)
  const words: [number, string][] = [
    [0, 'RIFF'],
    [8, 'WAVE'],
    [12, 'fmt '],
    [36, 'data'],
  ]
  for (const [at, word] of words) file.set(new TextEncoder().encode(word), at)
  view.setUint32(4, 36 + data.length, true)
  view.setUint32(16, 16, true)
  view.setUint16(20, 1, true)
  view.setUint16(22, channels, true)
  view.setUint32(24, sampleRate, true)
  view.setUint32(28, sampleRate * channels * 2, true)
  view.setUint16(32, channels * 2, true)
  view.setUint16(34, 16, true)
  view.setUint32(40, data.length, true)
  file.set(data, 44)
  return file
}

/** One sound after another, at the rate of the first one. */
export function joinSounds(sounds: readonly Sound[]): Sound {
  const sampleRate = sounds[0]?.sampleRate ?? 24_000
  const parts = sounds.map((sound) => resample(sound, sampleRate))
  const samples = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    samples.set(part, at)
    at += part.length
  }
  return { samples, sampleRate }
}

/** Between two samples goes what lies on the line between them. */
function resample({ samples, sampleRate }: Sound, wanted: number): Float32Array {
  if (sampleRate === wanted) return samples
  const step = sampleRate / wanted
  return Float32Array.from({ length: Math.floor(samples.length / step) }, (_, index) => {
    const before = Math.floor(index * step)
    const from = samples[before] ?? 0
    return from + ((samples[before + 1] ?? from) - from) * (index * step - before)
  })
}

/** The loudest sample of each of `count` equal parts, from 0 to 1. */
export function peaksOf({ samples }: Sound, count: number): Float32Array {
  const peaks = new Float32Array(count)
  const step = samples.length / count
  for (let part = 0; part < count; part += 1) {
    const end = Math.min(samples.length, Math.ceil((part + 1) * step))
    let peak = 0
    for (let at = Math.floor(part * step); at < end; at += 1)
      peak = Math.max(peak, Math.abs(samples[at] ?? 0))
    peaks[part] = peak
  }
  return peaks
}

function mix(view: DataView, { at, size, channels, sampleRate, bytes, read }: Layout): Sound {
  const samples = new Float32Array(Math.floor(size / bytes / channels))
  for (let frame = 0; frame < samples.length; frame += 1) {
    let sum = 0
    for (let channel = 0; channel < channels; channel += 1)
      sum += read(view, at + (frame * channels + channel) * bytes)
    samples[frame] = sum / channels
  }
  return { samples, sampleRate }
}

function tag(view: DataView, at: number): string {
  return String.fromCharCode(
    view.getUint8(at),
    view.getUint8(at + 1),
    view.getUint8(at + 2),
    view.getUint8(at + 3),
  )
}
