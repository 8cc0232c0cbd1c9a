import { decodeWav, PluginError, sniffAudio, toMono16, type WavAudio } from '@appfactory/sdk'

/** Samples as the recogniser wants them, but for their rate. */
export interface MonoAudio {
  samples: Int16Array
  /** In Hz. */
  sampleRate: number
}

export interface InputOptions {
  format?: string | undefined
  sampleRate?: number | undefined
}

type Format = Omit<WavAudio, 'data'>

const lowestRate = 1000
const highestRate = 384_000
const defaultRawRate = 16_000
/** A header with pictures or comments may be long, but not endless. */
const longestHeader = 1 << 20

/** Reads a whole file: WAV, or raw 16-bit samples where `options.format` says so. */
export function readAudio(audio: Uint8Array, options: InputOptions): MonoAudio {
  const raw = rawFormat(options)
  const wav = raw ? { ...raw, data: audio } : decodeWav(audio)
  if (!wav) throw notWav(audio)
  checkRate(wav.sampleRate)
  const samples = toMono16(wav)
  if (samples.length === 0) throw invalid('The audio has no samples')
  return { samples, sampleRate: wav.sampleRate }
}

/**
 * Reads audio that arrives in pieces, cut anywhere, even inside a sample or the header. A stream that begins as a WAV file
 * does is taken as one; any other is raw 16-bit samples at `options.sampleRate`.
 */
export class AudioInput {
  readonly #raw: Format
  readonly #mustBeRaw: boolean
  /** Known once the first bytes have told. */
  #format: Format | undefined
  /** Bytes of a header or a sample that is not complete yet. */
  #pending: Uint8Array = new Uint8Array()
  /** Bytes of samples that a WAV header announced; what comes after is not sound. */
  #remaining = Number.POSITIVE_INFINITY

  constructor(options: InputOptions) {
    const raw = rawFormat(options)
    this.#mustBeRaw = raw !== undefined
    this.#raw = raw ?? rawAt(options.sampleRate)
  }

  /** The samples that are complete with `chunk`; undefined while there are none. */
  push(chunk: Uint8Array): MonoAudio | undefined {
    this.#pending = Buffer.concat([this.#pending, chunk])
    this.#format ??= this.#recogniseFormat()
    if (!this.#format) return undefined
    const { channels, bitsPerSample, sampleRate } = this.#format
    const frameBytes = (channels * bitsPerSample) / 8
    const available = Math.min(this.#pending.length, this.#remaining)
    const complete = available - (available % frameBytes)
    const samples = toMono16({ ...this.#format, data: this.#pending.subarray(0, complete) })
    this.#remaining -= complete
    this.#pending = this.#remaining === 0 ? new Uint8Array() : this.#pending.slice(complete)
    return samples.length > 0 ? { samples, sampleRate } : undefined
  }

  #recogniseFormat(): Format | undefined {
    const begin = Buffer.from(this.#pending.subarray(0, 4)).toString('latin1')
    if (this.#mustBeRaw || !'RIFF'.startsWith(begin)) {
      const sniffed = this.#mustBeRaw ? undefined : sniffAudio(this.#pending)
      // Loud raw samples may look like MP3, but not like the other formats.
      if (sniffed && sniffed.format !== 'mp3') throw notWav(this.#pending)
      return this.#raw
    }
    const wav = begin === 'RIFF' ? decodeWav(this.#pending) : undefined
    if (!wav) return this.#waitForHeader()
    const { data, ...format } = wav
    checkRate(format.sampleRate)
    this.#skipHeader(data.byteOffset - this.#pending.byteOffset)
    return format
  }

  #skipHeader(headerBytes: number): void {
    const view = new DataView(this.#pending.buffer, this.#pending.byteOffset)
    const announced = view.getUint32(headerBytes - 4, true)
    // Programs that write WAV to a pipe don't know the length yet, and write one of these.
    if (announced !== 0 && announced !== 0xffff_ffff) this.#remaining = announced
    this.#pending = this.#pending.slice(headerBytes)
  }

  #waitForHeader(): undefined {
    const brand = Buffer.from(this.#pending.subarray(8, 12)).toString('latin1')
    if (!'WAVE'.startsWith(brand) || this.#pending.length > longestHeader) throw notWav(this.#pending)
    // A header whose data part has come, and which still can't be read, will not get better.
    const dataAt = Buffer.from(this.#pending).indexOf('data', 12)
    if (dataAt > 0 && this.#pending.length >= dataAt + 8) throw notWav(this.#pending)
    return undefined
  }
}

function rawFormat({ format = 'wav', sampleRate }: InputOptions): Format | undefined {
  if (format === 'wav') return undefined
  if (format === 'pcm_s16le') return rawAt(sampleRate)
  throw invalid(`Audio of the format ${format} can't be read; send wav or pcm_s16le`)
}

function rawAt(sampleRate = defaultRawRate): Format {
  checkRate(sampleRate)
  return { sampleRate, channels: 1, bitsPerSample: 16, float: false }
}

function checkRate(sampleRate: number): void {
  if (Number.isInteger(sampleRate) && sampleRate >= lowestRate && sampleRate <= highestRate) return
  throw invalid(`A sample rate of ${sampleRate} Hz can't be; it is from ${lowestRate} to ${highestRate}`)
}

function notWav(audio: Uint8Array): PluginError {
  const found = sniffAudio(audio)?.format
  const what = audio.length === 0 ? 'There is no audio' : `The audio is ${found ?? 'no WAV file'}`
  return invalid(
    `${what}; send uncompressed WAV, or raw 16-bit samples with the options format "pcm_s16le" and sample_rate`,
  )
}

function invalid(message: string): PluginError {
  return new PluginError('STT_AUDIO_INVALID', message)
}
