/** Zero crossings of the sinc on each side: more is sharper, and slower. */
const halfWidth = 16

/** Changes the rate of sound that comes in pieces. What comes out is the same however the input was cut. */
export class Resampler {
  /** Output and input samples in a step: the ratio of the rates in lowest terms. */
  readonly #up: number
  readonly #down: number
  readonly #cutoff: number
  /** How far a filter reaches on each side, in input samples. */
  readonly #reach: number
  /** One for each place between two input samples that occurs. */
  readonly #filters = new Map<number, Float32Array>()
  #input: Float32Array
  /** The next output sample lies behind this input sample, by `#phase / #up`. */
  #index: number
  #phase = 0

  /** @param from In Hz, like `to`. */
  constructor(from: number, to: number) {
    const divisor = greatestCommonDivisor(from, to)
    this.#up = to / divisor
    this.#down = from / divisor
    // What is higher than half of the lower rate would come back as noise.
    this.#cutoff = Math.min(1, to / from)
    this.#reach = Math.ceil(halfWidth / this.#cutoff)
    this.#input = new Float32Array(this.#reach)
    this.#index = this.#reach
  }

  push(samples: Float32Array): Float32Array {
    if (this.#up === this.#down) return samples
    const input = join(this.#input, samples)
    const room = Math.max(0, input.length - this.#reach - this.#index)
    const output = new Float32Array(Math.ceil((room * this.#up) / this.#down) + 1)
    let made = 0
    for (; this.#index + this.#reach < input.length; made++) {
      output[made] = this.#sampleAt(input)
      this.#phase += this.#down
      this.#index += Math.floor(this.#phase / this.#up)
      this.#phase %= this.#up
    }
    const used = Math.min(input.length, this.#index - this.#reach)
    this.#input = input.slice(used)
    this.#index -= used
    return output.subarray(0, made)
  }

  /** What is left after the last push. */
  end(): Float32Array {
    return this.#up === this.#down ? new Float32Array() : this.push(new Float32Array(this.#reach))
  }

  #sampleAt(input: Float32Array): number {
    const filter = this.#filter()
    const first = this.#index - this.#reach
    let sum = 0
    for (let tap = 0; tap < filter.length; tap++) sum += (filter[tap] ?? 0) * (input[first + tap] ?? 0)
    return sum
  }

  #filter(): Float32Array {
    const known = this.#filters.get(this.#phase)
    if (known) return known
    const filter = Float32Array.from({ length: 2 * this.#reach + 1 }, (_, tap) => {
      const distance = tap - this.#reach - this.#phase / this.#up
      const window = 0.5 + 0.5 * Math.cos((Math.PI * distance) / (this.#reach + 1))
      return this.#cutoff * sinc(distance * this.#cutoff) * window
    })
    this.#filters.set(this.#phase, filter)
    return filter
  }
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x)
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}

function join(first: Float32Array, second: Float32Array): Float32Array {
  const both = new Float32Array(first.length + second.length)
  both.set(first)
  both.set(second, first.length)
  return both
}
