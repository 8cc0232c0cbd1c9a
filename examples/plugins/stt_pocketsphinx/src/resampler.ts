/** Zero crossings of the sinc on each side: more is sharper, and slower. */
const halfWidth = 16

/**
 * Changes the sample rate of audio that arrives in pieces, by windowed-sinc interpolation. Pieces may be of any length; the
 * joined output is the same however the input was cut.
 */
export class Resampler {
  /** Output samples a step, input samples a step: the ratio of the rates in lowest terms. */
  readonly #up: number
  readonly #down: number
  /** How far a filter reaches on each side, in input samples. */
  readonly #reach: number
  readonly #cutoff: number
  /** A filter for each position between two input samples that occurs, made when it first does. */
  readonly #filters = new Map<number, Float32Array>()
  #pending: Int16Array
  /** Of the next output sample: the input sample before it in `#pending`, and how far it lies beyond, in 1/#up. */
  #index: number
  #phase = 0

  constructor(from: number, to: number) {
    const divisor = greatestCommonDivisor(from, to)
    this.#up = to / divisor
    this.#down = from / divisor
    // Below the lower of the two Nyquist frequencies: what is higher would fold back as noise.
    this.#cutoff = Math.min(1, to / from)
    this.#reach = Math.ceil(halfWidth / this.#cutoff)
    // Silence before the beginning, so that the first sample has neighbours.
    this.#pending = new Int16Array(this.#reach)
    this.#index = this.#reach
  }

  push(samples: Int16Array): Int16Array {
    if (this.#up === this.#down) return samples
    const input = concatenate(this.#pending, samples)
    const output: number[] = []
    while (this.#index + this.#reach < input.length) {
      output.push(this.#sampleAt(input))
      this.#phase += this.#down
      this.#index += Math.floor(this.#phase / this.#up)
      this.#phase %= this.#up
    }
    const keepFrom = Math.min(input.length, this.#index - this.#reach)
    this.#pending = input.slice(keepFrom)
    this.#index -= keepFrom
    return Int16Array.from(output)
  }

  /** The rest, after the last push. */
  end(): Int16Array {
    return this.#up === this.#down ? new Int16Array() : this.push(new Int16Array(this.#reach))
  }

  #sampleAt(input: Int16Array): number {
    const filter = this.#filterFor(this.#phase)
    const first = this.#index - this.#reach
    let sum = 0
    for (let tap = 0; tap < filter.length; tap++) sum += (filter[tap] ?? 0) * (input[first + tap] ?? 0)
    return Math.max(-32_768, Math.min(32_767, Math.round(sum)))
  }

  #filterFor(phase: number): Float32Array {
    const known = this.#filters.get(phase)
    if (known) return known
    const filter = Float32Array.from({ length: 2 * this.#reach + 1 }, (_, tap) => {
      const distance = tap - this.#reach - phase / this.#up
      const window = 0.5 + 0.5 * Math.cos((Math.PI * distance) / (this.#reach + 1))
      return this.#cutoff * sinc(distance * this.#cutoff) * window
    })
    this.#filters.set(phase, filter)
    return filter
  }
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x)
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}

export function concatenate(first: Int16Array, second: Int16Array): Int16Array {
  const both = new Int16Array(first.length + second.length)
  both.set(first)
  both.set(second, first.length)
  return both
}
