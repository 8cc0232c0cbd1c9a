import { setImmediate as letOthersRun } from 'node:timers/promises'
import { decodeWav } from '@appfactory/sdk'
import { decode, plainSounds } from './decode.js'
import { type Encoder, type Encoding, encoderOf, speechRate } from './encode.js'
import { tooLong } from './problem.js'
import { Resampler } from './resample.js'
import { joinBytes, type Sound, toPcm } from './samples.js'

/** Bounds of sound: a small file may hold days of silence. */
const longestSeconds = 2 * 3600
const mostBytes = 512 * 1024 * 1024

/** What plugins listen to, in Hz. */
export const hearingRate = 16_000

/** A piece of speech as a plugin gives it. */
export interface Piece {
  audio: Uint8Array
  format: string
  sampleRate: number
  channels: number
}

/** Speech that is being encoded. */
export class SpeechJob {
  readonly #encoding: Encoding
  #encoder: Encoder | undefined
  #target = speechRate
  #resampler: Resampler | undefined
  #rate: number | undefined
  /** Of samples without a header: what is left of a frame that goes on in the next piece. */
  #rest = new Uint8Array()
  readonly #mostSeconds: number
  #seconds = 0

  constructor(encoding: Encoding, mostSeconds = longestSeconds) {
    this.#encoding = encoding
    this.#mostSeconds = mostSeconds
  }

  async push(piece: Piece): Promise<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array[] = []
    for await (const sound of this.#soundsOf(piece)) {
      parts.push(...(await this.#encode(sound)))
      // Other jobs have their turn.
      await letOthersRun()
    }
    return joinBytes(parts)
  }

  async end(): Promise<Uint8Array<ArrayBuffer>> {
    if (!this.#encoder) return new Uint8Array()
    const rest = this.#resampler?.end() ?? new Float32Array()
    return joinBytes([...this.#encoder.push(rest), ...this.#encoder.end()])
  }

  free(): void {
    this.#encoder?.free()
    this.#encoder = undefined
  }

  async *#soundsOf({ audio, format, sampleRate, channels }: Piece): AsyncGenerator<Sound> {
    const isHeaderless = format === 'pcm_s16le' || (format === 'wav' && !decodeWav(audio))
    if (!isHeaderless) return yield* decode(audio, speechRate)
    const all = joinBytes([this.#rest, audio])
    const whole = all.length - (all.length % (2 * channels))
    this.#rest = all.slice(whole)
    const data = all.subarray(0, whole)
    yield* plainSounds({ sampleRate, channels, bitsPerSample: 16, float: false, data })
  }

  async #encode({ samples, sampleRate }: Sound): Promise<Uint8Array[]> {
    this.#seconds = bounded(this.#seconds + samples.length / sampleRate, this.#mostSeconds)
    // A header tells the rate, so a WAV file keeps that of the plugin.
    if (!this.#encoder && this.#encoding === 'wav') this.#target = sampleRate
    this.#encoder ??= await encoderOf(this.#encoding, this.#target)
    const before = sampleRate === this.#rate ? undefined : this.#resampler?.end()
    if (sampleRate !== this.#rate) this.#resampler = new Resampler(sampleRate, this.#target)
    this.#rate = sampleRate
    const resampled = this.#resampler?.push(samples) ?? samples
    return [...(before ? this.#encoder.push(before) : []), ...this.#encoder.push(resampled)]
  }
}

/** A file as 16-bit mono at `hearingRate`, without a header; nothing if `isGone`. @throws AudioProblem. */
export async function hear(
  file: Uint8Array,
  isGone: () => boolean,
  mostSeconds = longestSeconds,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = []
  let resampler: Resampler | undefined
  let rate = 0
  let bytes = 0
  let seconds = 0
  const add = (samples: Float32Array): void => {
    const part = toPcm(samples)
    bytes += part.length
    if (bytes > mostBytes) throw tooLong(longestSeconds)
    parts.push(part)
  }
  for await (const { samples, sampleRate } of decode(file, hearingRate)) {
    seconds = bounded(seconds + samples.length / sampleRate, mostSeconds)
    if (sampleRate !== rate && resampler) add(resampler.end())
    if (!resampler || sampleRate !== rate) resampler = new Resampler(sampleRate, hearingRate)
    rate = sampleRate
    add(resampler.push(samples))
    await letOthersRun()
    if (isGone()) return new Uint8Array()
  }
  if (resampler) add(resampler.end())
  return joinBytes(parts)
}

function bounded(seconds: number, mostSeconds: number): number {
  const most = Math.min(mostSeconds, longestSeconds)
  if (seconds > most) throw tooLong(most)
  return seconds
}
