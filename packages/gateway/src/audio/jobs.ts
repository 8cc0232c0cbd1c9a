import { setImmediate as letOthersRun } from 'node:timers/promises'
import { decodeWav } from '@appfactory/sdk'
import { Resampler } from '@appfactory/sdk/internal'
import { decode, plainSounds } from './decode.js'
import { type Encoder, encoderOf, type Making, rateOf, speechRate } from './encode.js'
import { tooLong } from './problem.js'
import { joinBytes, type Sound, toPcm } from './samples.js'

/** Bounds of sound as 16-bit mono at its own rate: a small file may hold days of silence. */
const longestSeconds = 2 * 3600
const mostBytes = 512 * 1024 * 1024
/** How long a program that reads a file may take. */
export const programMs = 120_000

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
  readonly #making: Making
  #encoder: Encoder | undefined
  #target = speechRate
  #resampler: Resampler | undefined
  #rate: number | undefined
  /** Of samples without a header: what is left of a frame that goes on in the next piece. */
  #rest = new Uint8Array()
  #seconds = 0
  readonly #abort = new AbortController()
  /** Of a file that is sent whole. */
  #file: Uint8Array[] = []
  #fileBytes = 0

  constructor(making: Making) {
    this.#making = making
  }

  async push(piece: Piece): Promise<Uint8Array<ArrayBuffer>> {
    const parts: Uint8Array[] = []
    for await (const sound of this.#soundsOf(piece)) {
      parts.push(...(await this.#encode(sound)))
      // Other jobs have their turn.
      await letOthersRun()
    }
    return this.#making.isStreamed ? joinBytes(parts) : this.#keep(parts)
  }

  async end(): Promise<Uint8Array<ArrayBuffer>> {
    if (!this.#encoder) return new Uint8Array()
    const rest = this.#resampler?.end() ?? new Float32Array()
    const parts = [...(await this.#encoder.push(rest)), ...(await this.#encoder.end())]
    if (this.#making.isStreamed) return joinBytes(parts)
    const file = joinBytes([...this.#file.splice(0), ...parts])
    this.#encoder.seal?.(file)
    return file
  }

  free(): void {
    this.#abort.abort()
    this.#encoder?.free()
    this.#encoder = undefined
  }

  #keep(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
    this.#file.push(...parts)
    for (const { length } of parts) this.#fileBytes += length
    if (this.#fileBytes > mostBytes) throw tooLong(longestSeconds)
    return new Uint8Array()
  }

  async *#soundsOf({ audio, format, sampleRate, channels }: Piece): AsyncGenerator<Sound> {
    const isHeaderless = format === 'pcm_s16le' || (format === 'wav' && !decodeWav(audio))
    if (!isHeaderless)
      return yield* decode(audio, { rate: speechRate, signal: this.#abort.signal, programMs })
    const all = joinBytes([this.#rest, audio])
    const whole = all.length - (all.length % (2 * channels))
    this.#rest = all.slice(whole)
    const data = all.subarray(0, whole)
    yield* plainSounds({ sampleRate, channels, bitsPerSample: 16, float: false, data })
  }

  async #encode({ samples, sampleRate }: Sound): Promise<Uint8Array[]> {
    this.#seconds = boundedSeconds(this.#seconds + samples.length / sampleRate, this.#making.mostSeconds)
    if (!this.#encoder) {
      this.#target = rateOf(this.#making, sampleRate)
      this.#encoder = await encoderOf(this.#making.encoding, this.#target)
    }
    const before = sampleRate === this.#rate ? undefined : this.#resampler?.end()
    if (sampleRate !== this.#rate) this.#resampler = new Resampler(sampleRate, this.#target)
    this.#rate = sampleRate
    const resampled = this.#resampler?.push(samples) ?? samples
    return [...(before ? await this.#encoder.push(before) : []), ...(await this.#encoder.push(resampled))]
  }
}

/** What bounds the reading of a file. */
export interface HearLimits {
  seconds: number
  programMs: number
}

/** A file as 16-bit mono at `hearingRate`, without a header; nothing once `signal` is aborted. @throws AudioProblem. */
export async function hear(
  file: Uint8Array,
  signal: AbortSignal,
  limits: HearLimits = { seconds: longestSeconds, programMs },
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = []
  let resampler: Resampler | undefined
  let rate = 0
  let bytes = 0
  let seconds = 0
  const reading = { rate: hearingRate, signal, programMs: limits.programMs } as const
  for await (const { samples, sampleRate } of decode(file, reading)) {
    seconds = boundedSeconds(seconds + samples.length / sampleRate, limits.seconds)
    bytes += samples.length * 2
    if (bytes > mostBytes) throw tooLong(longestSeconds)
    if (sampleRate !== rate && resampler) parts.push(toPcm(resampler.end()))
    if (!resampler || sampleRate !== rate) resampler = new Resampler(sampleRate, hearingRate)
    rate = sampleRate
    parts.push(toPcm(resampler.push(samples)))
    await letOthersRun()
    if (signal.aborted) return new Uint8Array()
  }
  if (resampler) parts.push(toPcm(resampler.end()))
  return joinBytes(parts)
}

/** Seconds that sound may have. @throws AudioProblem. */
export function boundedSeconds(seconds: number, mostSeconds = longestSeconds): number {
  const most = Math.min(mostSeconds, longestSeconds)
  if (seconds > most) throw tooLong(most)
  return seconds
}
