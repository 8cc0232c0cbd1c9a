import { randomInt } from 'node:crypto'
import { aacEncoder, aacRate } from './aac.js'
import { FlacEncoder } from './flac.js'
import { OggWriter } from './ogg.js'
import { AudioProblem, loadCodec } from './problem.js'
import { closeWav, openWavHeader, toPcm } from './samples.js'

/** What speech is sent as. */
export type Encoding = 'mp3' | 'opus' | 'aac' | 'flac' | 'wav' | 'pcm'

/** How speech is sent. */
export interface Making {
  encoding: Encoding
  /** In Hz, where the encoding leaves a choice. Undefined: that of `pcm`, or the plugin’s where a header tells it. */
  sampleRate: number | undefined
  /** Whether bytes come as they are made. Otherwise they come at the end, as a file that tells its length. */
  isStreamed: boolean
  /** The most seconds of sound. */
  mostSeconds: number
}

/** Of speech, in Hz: clients take headerless samples for this. */
export const speechRate = 24_000

/** Encoders that lengthen sound by some frames do so by less at a higher rate, where frames are shorter. */
const fixedRates: Partial<Record<Encoding, number>> = { mp3: 48_000, aac: aacRate, opus: speechRate }

/** What an encoding is made of, in Hz. @param spoken Of the plugin. */
export function rateOf({ encoding, sampleRate }: Making, spoken: number): number {
  return fixedRates[encoding] ?? sampleRate ?? (encoding === 'pcm' ? speechRate : spoken)
}

/** Whether a client may choose the rate of an encoding. */
export function hasRate(encoding: Encoding): boolean {
  return !(encoding in fixedRates)
}

type Bytes = Uint8Array[] | Promise<Uint8Array[]>

/** Makes bytes of samples from -1 to 1. */
export interface Encoder {
  push(samples: Float32Array): Bytes
  /** What is left after the last push. */
  end(): Bytes
  /** Tells all of the bytes, as one file, how long they are. */
  seal?(file: Uint8Array): Uint8Array
  /** Gives back what it holds. */
  free(): void
}

/** @param sampleRate Of what will be pushed: `rateOf()`. */
export function encoderOf(encoding: Encoding, sampleRate: number): Encoder | Promise<Encoder> {
  if (encoding === 'mp3') return mp3Encoder(sampleRate)
  if (encoding === 'opus') return opusEncoder()
  if (encoding === 'aac') return aacEncoder()
  if (encoding === 'flac') return new FlacEncoder(sampleRate)
  const head = encoding === 'wav' ? [openWavHeader(sampleRate)] : []
  return {
    push: (samples) => [...head.splice(0), toPcm(samples)],
    end: () => head.splice(0),
    ...(encoding === 'wav' ? { seal: closeWav } : {}),
    free: () => {},
  }
}

/** Encoders of MP3 that wait for the next answer: to make one takes longer than a second of speech. */
const spareMp3: Mp3Codec[] = []
const mostSpare = 4

type Mp3Codec = Awaited<ReturnType<typeof import('wasm-media-encoders')['createMp3Encoder']>>

async function mp3Encoder(sampleRate: number): Promise<Encoder> {
  const name = 'wasm-media-encoders'
  const { createMp3Encoder } = await loadCodec('Making MP3', name, () => import('wasm-media-encoders'))
  const codec = spareMp3.pop() ?? (await createMp3Encoder())
  codec.configure({ sampleRate, channels: 1, bitrate: 96 })
  return {
    // What it gives is overwritten by the next call.
    push: (samples) => [codec.encode([samples]).slice()],
    end: () => [codec.finalize().slice()],
    free: () => void (spareMp3.length < mostSpare && spareMp3.push(codec)),
  }
}

/** From 160 on, the codec’s memory grows, and those that there are lose theirs. */
const mostOpusEncoders = 128
let opusEncoders = 0

async function opusEncoder(): Promise<Encoder> {
  const { default: OpusScript } = await loadCodec('Making Opus', 'opusscript', () => import('opusscript'))
  if (opusEncoders >= mostOpusEncoders)
    throw new AudioProblem(
      'too_busy',
      `${mostOpusEncoders} answers are being made as Opus, and there is no room for more. Try again`,
    )
  const codec = new OpusScript(speechRate, 1, OpusScript.Application.AUDIO)
  repairInput(codec)
  return new OpusEncoder(codec)
}

/** opusscript 0.1 writes its input at twice the address that is its own, where other encoders have their state. */
function repairInput(codec: object): void {
  const input: unknown = Reflect.get(codec, 'inPCM')
  const own: unknown = Reflect.get(codec, 'inPCMPointer')
  if (input instanceof Uint16Array && typeof own === 'number' && input.byteOffset !== own)
    Reflect.set(codec, 'inPCM', new Uint16Array(input.buffer, own, frameSamples * 2))
}

/** The codec’s part of it: a frame of 16-bit samples becomes a packet. */
interface OpusCodec {
  encode(frame: Buffer, samples: number): Buffer
  delete(): void
}

/** 20 ms. */
const frameSamples = speechRate / 50
/** What an encoder of Opus puts in front, in samples at 48 kHz: 6.5 ms. */
const preSkip = 312
/** Positions are counted at 48 kHz. */
const perSample = 48_000 / speechRate
/** Pages are one second long at most. */
const framesOfPage = 50

class OpusEncoder implements Encoder {
  readonly #codec: OpusCodec
  readonly #ogg = new OggWriter(randomInt(2 ** 32))
  #pending = new Float32Array()
  #heard = 0
  #frames = 0
  #packets: Buffer[] = []
  #head: Uint8Array[]

  constructor(codec: OpusCodec) {
    opusEncoders++
    this.#codec = codec
    this.#head = [this.#ogg.page([opusHead()], 0), this.#ogg.page([opusTags()], 0)]
  }

  push(samples: Float32Array): Uint8Array[] {
    this.#heard += samples.length
    return [...this.#head.splice(0), ...this.#encode(samples), ...this.#flush()]
  }

  end(): Uint8Array[] {
    const missing = Math.max(0, this.#heard + preSkip / perSample - this.#frames * frameSamples)
    const frames = Math.ceil(missing / frameSamples)
    const rest = new Float32Array(frames * frameSamples - this.#pending.length)
    const pages = this.#encode(rest)
    const last = this.#ogg.page(this.#packets.splice(0), preSkip + this.#heard * perSample, true)
    return [...this.#head.splice(0), ...pages, last]
  }

  free(): void {
    opusEncoders--
    this.#codec.delete()
  }

  #encode(samples: Float32Array): Uint8Array[] {
    const pages: Uint8Array[] = []
    const input = new Float32Array(this.#pending.length + samples.length)
    input.set(this.#pending)
    input.set(samples, this.#pending.length)
    let start = 0
    for (; start + frameSamples <= input.length; start += frameSamples) {
      if (this.#packets.length === framesOfPage) pages.push(...this.#flush())
      const frame = toPcm(input.subarray(start, start + frameSamples))
      this.#packets.push(this.#codec.encode(Buffer.from(frame.buffer), frameSamples))
      this.#frames++
    }
    this.#pending = input.slice(start)
    return pages
  }

  #flush(): Uint8Array[] {
    if (this.#packets.length === 0) return []
    return [this.#ogg.page(this.#packets.splice(0), this.#frames * frameSamples * perSample)]
  }
}

function opusHead(): Uint8Array {
  const head = Buffer.alloc(19)
  head.write('OpusHead', 'latin1')
  head[8] = 1
  head[9] = 1
  head.writeUInt16LE(preSkip, 10)
  head.writeUInt32LE(speechRate, 12)
  return head
}

function opusTags(): Uint8Array {
  const vendor = 'appfactory'
  const tags = Buffer.alloc(8 + 4 + vendor.length + 4)
  tags.write('OpusTags', 'latin1')
  tags.writeUInt32LE(vendor.length, 8)
  tags.write(vendor, 12, 'latin1')
  return tags
}
