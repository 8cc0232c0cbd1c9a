import { setImmediate as letOthersRun } from 'node:timers/promises'
import { decodeWav, toMono16 } from '@appfactory/sdk'
import { Bytes, Resampler, wrapWav } from '@appfactory/sdk/internal'

/** Samples that are worked on in one turn of the event loop: a millisecond, or little more. */
const samplesInATurn = 8192

/** Other rates than these, in Hz, are no sound that anybody waits for. */
const [lowestRate, highestRate] = [4000, 192_000]
const mostChannels = 8

/** A result or a piece with sound in it, as it came over the wire. */
interface WireSound {
  audio_b64: unknown
  format: string
  sample_rate: number
  channels: number
  voice_id?: unknown
}

/** Whether a result or a piece has sound. */
export function hasSound(value: unknown): value is WireSound {
  if (typeof value !== 'object' || value === null || !('audio_b64' in value)) return false
  const { format, sample_rate: rate, channels } = value as Partial<WireSound>
  return typeof format === 'string' && typeof rate === 'number' && typeof channels === 'number'
}

/** Whether what speaks has answered with no sound to what can be said. */
export function isMute(text: unknown, result: unknown): boolean {
  return hasSound(result) && lengthOf(result.audio_b64) === 0 && isSayable(text)
}

export function isSayable(text: unknown): boolean {
  return typeof text === 'string' && /[\p{L}\p{N}]/u.test(text)
}

/** Changes the rate of the sound of one answer, or of the pieces of one stream. */
export class SoundFitter {
  readonly #rate: number
  #from = 0
  /** One for each channel. */
  #resamplers: Resampler[] = []
  /** The beginning of a frame that goes on in the next piece. */
  #rest = new Uint8Array()
  #voice: unknown

  /** @param rate In Hz. */
  constructor(rate: number) {
    this.#rate = rate
  }

  /** Sound of this rate. It is the same object: what else it says stays. Sound that is encoded is left as it is. */
  async fit(value: unknown): Promise<unknown> {
    if (!hasSound(value) || value.sample_rate === this.#rate || !isFit(value)) return value
    return value.format === 'wav' ? this.#fitFile(value) : this.#fitSamples(value)
  }

  /** The same for an answer that is the only one. */
  async fitAll(value: unknown): Promise<unknown> {
    const fitted = await this.fit(value)
    const rest = this.end()
    if (!rest || !hasSound(fitted)) return fitted
    const sound = Buffer.concat([bytesOf(fitted.audio_b64), bytesOf(rest.audio_b64)])
    return withSound(fitted, sound, this.#rate, fitted.channels)
  }

  /** What is left of samples without a header; undefined: nothing. */
  end(): WireSound | undefined {
    const data = interleaved(this.#resamplers.map((resampler) => resampler.end()))
    if (data.length === 0) return undefined
    const channels = this.#resamplers.length
    const spoken = this.#voice === undefined ? {} : { voice_id: this.#voice }
    const format = { format: 'pcm_s16le', sample_rate: this.#rate, channels }
    return { audio_b64: new Bytes(data).toJSON(), ...format, ...spoken }
  }

  /** A file is whole: it has a beginning and an end of its own. */
  async #fitFile(value: WireSound): Promise<unknown> {
    const wav = decodeWav(bytesOf(value.audio_b64))
    if (!wav || wav.channels > mostChannels || wav.sampleRate !== value.sample_rate) return value
    const isPlain = wav.bitsPerSample === 16 && !wav.float
    const channels = isPlain ? wav.channels : 1
    const plain = isPlain ? wav.data : new Uint8Array(toMono16(wav).buffer)
    const resamplers = makeResamplers(channels, wav.sampleRate, this.#rate)
    const parts = await resampled(resamplers, plain)
    const data = Buffer.concat([...parts, interleaved(resamplers.map((each) => each.end()))])
    const file = wrapWav({ sampleRate: this.#rate, channels, bitsPerSample: 16, float: false, data })
    return withSound(value, file, this.#rate, channels)
  }

  async #fitSamples(value: WireSound): Promise<unknown> {
    const { sample_rate: from, channels } = value
    if (from !== this.#from || channels !== this.#resamplers.length)
      this.#resamplers = makeResamplers(channels, from, this.#rate)
    this.#from = from
    this.#voice = value.voice_id
    const all = Buffer.concat([this.#rest, bytesOf(value.audio_b64)])
    const whole = all.length - (all.length % (2 * channels))
    this.#rest = Uint8Array.from(all.subarray(whole))
    const parts = await resampled(this.#resamplers, all.subarray(0, whole))
    return withSound(value, Buffer.concat(parts), this.#rate, channels)
  }
}

function isFit({ format, sample_rate: rate, channels }: WireSound): boolean {
  const isPlain = format === 'wav' || format === 'pcm_s16le'
  const isChannels = Number.isInteger(channels) && channels > 0 && channels <= mostChannels
  return isPlain && isChannels && Number.isInteger(rate) && rate >= lowestRate && rate <= highestRate
}

function makeResamplers(channels: number, from: number, to: number): Resampler[] {
  return Array.from({ length: channels }, () => new Resampler(from, to))
}

/** In turns: others use the event loop too. @param data Samples of 16 bits, little-endian. */
async function resampled(resamplers: readonly Resampler[], data: Uint8Array): Promise<Uint8Array[]> {
  const frameBytes = 2 * resamplers.length
  const step = Math.ceil((2 * samplesInATurn) / frameBytes) * frameBytes
  const parts: Uint8Array[] = []
  for (let start = 0; start < data.length; start += step) {
    if (start > 0) await letOthersRun()
    const block = data.subarray(start, start + step)
    parts.push(
      interleaved(resamplers.map((each, channel) => each.push(channelOf(block, channel, frameBytes)))),
    )
  }
  return parts
}

function channelOf(data: Uint8Array, channel: number, frameBytes: number): Float32Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const samples = new Float32Array(Math.floor(data.length / frameBytes))
  for (let index = 0; index < samples.length; index++)
    samples[index] = view.getInt16(index * frameBytes + channel * 2, true) / 0x8000
  return samples
}

/** 16 bits a sample, little-endian. */
function interleaved(channels: readonly Float32Array[]): Uint8Array {
  const frames = channels[0]?.length ?? 0
  const bytes = Buffer.alloc(frames * channels.length * 2)
  for (const [channel, samples] of channels.entries())
    for (let frame = 0; frame < frames; frame++) {
      const sample = Math.round((samples[frame] ?? 0) * 0x8000)
      bytes.writeInt16LE(Math.max(-0x8000, Math.min(0x7fff, sample)), (frame * channels.length + channel) * 2)
    }
  return bytes
}

/** In the form in which the sound came: who reads it knows by that where to look for bytes. */
function withSound(value: WireSound, sound: Uint8Array, rate: number, channels: number): WireSound {
  const bytes = new Bytes(sound)
  const audio = value.audio_b64 instanceof Bytes ? bytes : bytes.toJSON()
  return Object.assign(value, { audio_b64: audio, sample_rate: rate, channels })
}

function bytesOf(audio: unknown): Uint8Array {
  if (audio instanceof Bytes) return audio.data
  return Buffer.from(typeof audio === 'string' ? audio : '', 'base64')
}

function lengthOf(audio: unknown): number {
  return audio instanceof Bytes ? audio.data.length : typeof audio === 'string' ? audio.length : 0
}
