import fvad, { type FvadModule } from '@echogarden/fvad-wasm'

/** WebRTC's voice activity detector, which looks at 10, 20 or 30 ms at a time. */
export class Detector {
  readonly #fvad: FvadModule

  private constructor(module: FvadModule) {
    this.#fvad = module
  }

  static async load(): Promise<Detector> {
    return new Detector(await fvad())
  }

  /** For each frame of 16 kHz audio, whether somebody speaks in it. What does not fill a frame is left out. */
  *framesOf(
    samples: Int16Array,
    { frameMs, aggressiveness }: { frameMs: number; aggressiveness: number },
  ): Generator<boolean, void, undefined> {
    const length = (detectorRate * frameMs) / 1000
    const native = this.#fvad
    // Of this call alone: the detector adapts to the noise that it hears.
    const detector = native._fvad_new()
    const frameAt = native._malloc(length * Int16Array.BYTES_PER_ELEMENT)
    try {
      native._fvad_set_mode(detector, aggressiveness)
      native._fvad_set_sample_rate(detector, detectorRate)
      for (let start = 0; start + length <= samples.length; start += length) {
        native.HEAP16.set(samples.subarray(start, start + length), frameAt / Int16Array.BYTES_PER_ELEMENT)
        yield native._fvad_process(detector, frameAt, length) === 1
      }
    } finally {
      // WebAssembly has no garbage collector; `finally` also runs where a caller stops listening.
      native._free(frameAt)
      native._fvad_free(detector)
    }
  }
}

/** One of the rates that the detector takes, in Hz. */
export const detectorRate = 16_000

/** Brings samples to the detector's rate: good enough to tell speech from silence, not to listen to. */
export function toDetectorRate(samples: Int16Array, sampleRate: number): Int16Array {
  if (sampleRate === detectorRate) return samples
  const ratio = sampleRate / detectorRate
  return Int16Array.from({ length: Math.floor(samples.length / ratio) }, (_, index) => {
    // The mean of what falls on one sample is a plain low-pass filter.
    const start = Math.floor(index * ratio)
    const part = samples.subarray(start, Math.max(start + 1, Math.floor((index + 1) * ratio)))
    return part.reduce((sum, sample) => sum + sample, 0) / part.length
  })
}
