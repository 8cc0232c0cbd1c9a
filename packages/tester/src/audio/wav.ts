/** Sound as samples from -1 to 1, of one channel. */
export interface Sound {
  samples: Float32Array
  sampleRate: number
}

export function duration({ samples, sampleRate }: Sound): number {
  return samples.length / sampleRate
}

/** Reads a WAV file of 16-bit samples; undefined for anything else. */
export function decodeWav(file: Uint8Array): Sound | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  if (file.length < 44 || tag(view, 0) !== 'RIFF' || tag(view, 8) !== 'WAVE') return undefined
  let channels = 0
  let sampleRate = 0
  for (let at = 12; at + 8 <= file.length; ) {
    // A stream may not know its length: the data then reaches to the end.
    const size = Math.min(view.getUint32(at + 4, true), file.length - at - 8)
    if (tag(view, at) === 'fmt ') {
      channels = view.getUint16(at + 10, true)
      sampleRate = view.getUint32(at + 12, true)
      if (view.getUint16(at + 22, true) !== 16) return undefined
    } else if (tag(view, at) === 'data' && channels > 0) {
      return { samples: mix(view, at + 8, Math.floor(size / 2 / channels), channels), sampleRate }
    }
    at += 8 + size + (size % 2)
  }
  return undefined
}

/** Makes a WAV file of 16-bit samples. */
export function encodeWav({ samples, sampleRate }: Sound): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(44 + samples.length * 2)
  const view = new DataView(file.buffer)
  const words: [number, string][] = [
    [0, 'RIFF'],
    [8, 'WAVE'],
    [12, 'fmt '],
    [36, 'data'],
  ]
  for (const [at, word] of words) file.set(new TextEncoder().encode(word), at)
  view.setUint32(4, 36 + samples.length * 2, true)
  view.setUint32(16, 16, true)
  view.setUint16(20, 1, true)
  view.setUint16(22, 1, true)
  view.setUint32(24, sampleRate, true)
  view.setUint32(28, sampleRate * 2, true)
  view.setUint16(32, 2, true)
  view.setUint16(34, 16, true)
  view.setUint32(40, samples.length * 2, true)
  samples.forEach((sample, index) => {
    view.setInt16(44 + index * 2, Math.max(-1, Math.min(1, sample)) * 0x7fff, true)
  })
  return file
}

/** One sound after another, of the first one's rate; undefined where they differ in it. */
export function joinSounds(sounds: readonly Sound[]): Sound | undefined {
  const sampleRate = sounds[0]?.sampleRate
  if (sampleRate === undefined || sounds.some((sound) => sound.sampleRate !== sampleRate)) return undefined
  const samples = new Float32Array(sounds.reduce((sum, sound) => sum + sound.samples.length, 0))
  let at = 0
  for (const sound of sounds) {
    samples.set(sound.samples, at)
    at += sound.samples.length
  }
  return { samples, sampleRate }
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

function mix(view: DataView, offset: number, frames: number, channels: number): Float32Array {
  const samples = new Float32Array(frames)
  for (let frame = 0; frame < frames; frame += 1) {
    let sum = 0
    for (let channel = 0; channel < channels; channel += 1)
      sum += view.getInt16(offset + (frame * channels + channel) * 2, true)
    samples[frame] = sum / channels / 0x8000
  }
  return samples
}

function tag(view: DataView, at: number): string {
  return String.fromCharCode(
    view.getUint8(at),
    view.getUint8(at + 1),
    view.getUint8(at + 2),
    view.getUint8(at + 3),
  )
}
