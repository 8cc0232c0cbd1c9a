import type { Sound } from '../../src/audio/samples.js'

/** A tone of 440 Hz. */
export function tone(sampleRate: number, seconds: number, hertz = 440): Int16Array {
  return Int16Array.from({ length: Math.round(sampleRate * seconds) }, (_, index) =>
    Math.round(10_000 * Math.sin((2 * Math.PI * hertz * index) / sampleRate)),
  )
}

/** How high and how loud a tone is, in its middle half. */
export function heard({ samples, sampleRate }: Sound): { hertz: number; peak: number; seconds: number } {
  const middle = samples.subarray(samples.length / 4, (samples.length * 3) / 4)
  let crossings = 0
  let peak = 0
  middle.forEach((sample, index) => {
    if (index > 0 && sample < 0 !== (middle[index - 1] ?? 0) < 0) crossings++
    peak = Math.max(peak, Math.abs(sample))
  })
  const seconds = samples.length / sampleRate
  return { hertz: (crossings * sampleRate) / middle.length / 2, peak, seconds }
}

/** 16-bit samples, as numbers from -1 to 1. */
export function soundOfPcm(bytes: Uint8Array, sampleRate: number): Sound {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const samples = Float32Array.from(
    { length: bytes.length / 2 },
    (_, index) => view.getInt16(index * 2, true) / 0x8000,
  )
  return { samples, sampleRate }
}
