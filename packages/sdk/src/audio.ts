import {
  asciiAt,
  buildWav,
  durationOf,
  hasPlainSamples,
  littleEndianSamples,
  plainFormatChunk,
  readWav,
  sampleAt,
} from './wav.js'

/** What an audio file says of itself. `durationMs` is absent where the header does not tell. */
export interface AudioFormat {
  /** wav, mp3, ogg, flac or pcm_s16le. */
  format: string
  /** In Hz. */
  sampleRate: number
  /** 1 is mono, 2 is stereo. */
  channels: number
  /** Length of the audio, in ms. */
  durationMs?: number
}

/** Uncompressed audio out of a WAV file. */
export interface WavAudio {
  /** In Hz. */
  sampleRate: number
  /** 1 is mono, 2 is stereo. */
  channels: number
  /** Of one sample: 8, 16, 24 or 32; 32 or 64 of floating point. */
  bitsPerSample: number
  /** Whether samples are floating point. */
  float: boolean
  /** The samples: little-endian, channels interleaved. A view of the file, not a copy, except of a RIFX file. */
  data: Uint8Array
}

/**
 * Makes a WAV file of 16-bit samples.
 *
 * @param samples Interleaved by channel: 16-bit numbers or, as engines give them, numbers from -1 to 1, which are cut at
 *   full scale.
 * @param format `sampleRate` in Hz; `channels`, default 1.
 * @throws TypeError where `samples` are anything else, or `format` is no rate and number of channels.
 * @example const wav = encodeWav(new Int16Array(16_000), { sampleRate: 16_000 })   // one second of silence
 */
export function encodeWav(
  samples: Int16Array | Float32Array | Float64Array,
  format: { sampleRate: number; channels?: number },
): Uint8Array {
  const { sampleRate, channels = 1 } = format ?? {}
  checkWhole('sampleRate', sampleRate, 'in Hz, such as 16000', 2 ** 32 - 1)
  checkWhole('channels', channels, 'such as 1', 2 ** 16 - 1)
  const { buffer, byteOffset, byteLength } = toInt16(samples)
  const data = new Uint8Array(buffer, byteOffset, byteLength)
  return wrapWav({ sampleRate, channels, bitsPerSample: 16, float: false, data })
}

function checkWhole(name: string, value: unknown, hint: string, most: number): void {
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= most) return
  throw new TypeError(`encodeWav: ${name} must be a whole number from 1, ${hint}, not ${String(value)}`)
}

function toInt16(samples: unknown): ArrayBufferView {
  // By its name: arrays of another realm are no instances of this one's classes.
  const kind = Object.prototype.toString.call(samples).slice(8, -1)
  if (kind === 'Int16Array') return samples as Int16Array
  if (kind !== 'Float32Array' && kind !== 'Float64Array')
    throw new TypeError(
      `encodeWav takes samples as an Int16Array, or as a Float32Array of numbers from -1 to 1, not ${kind}`,
    )
  return Int16Array.from(samples as Float32Array, (sample) => clip16(sample * 0x8000))
}

function clip16(sample: number): number {
  return Math.max(-0x8000, Math.min(0x7fff, Math.round(sample)))
}

/** Puts a WAV header before samples that are little-endian already. */
export function wrapWav({ data, ...format }: WavAudio): Uint8Array {
  return buildWav(plainFormatChunk(format), data)
}

/**
 * Reads a WAV file (RIFF, RIFX, RF64 or BW64) of uncompressed samples, or returns undefined where it is none. A length that
 * lies is cut to what is there; where the header was never completed, the samples go to the end of the file.
 */
export function decodeWav(file: Uint8Array): WavAudio | undefined {
  const wav = readWav(file)
  if (!wav || !hasPlainSamples(wav)) return undefined
  const data = littleEndianSamples(wav)
  const { sampleRate, channels, bitsPerSample, encoding } = wav
  return data && { sampleRate, channels, bitsPerSample, float: encoding === 3, data }
}

/** The samples of a WAV file as 16-bit mono: channels are averaged, other sample sizes converted. */
export function toMono16({ channels, bitsPerSample, float, data }: WavAudio): Int16Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const sampleBytes = bitsPerSample / 8
  const frames = Math.floor(data.length / (sampleBytes * channels))
  const mono = new Int16Array(frames)
  for (let frame = 0; frame < frames; frame++) {
    let sum = 0
    for (let channel = 0; channel < channels; channel++) {
      sum += sampleAt(view, (frame * channels + channel) * sampleBytes, bitsPerSample, float)
    }
    mono[frame] = clip16((sum * 0x8000) / channels)
  }
  return mono
}

/**
 * What `audio` is, as far as its first bytes tell; undefined for raw samples and unknown formats. A WAV file is one whatever
 * encodes its samples.
 */
export function sniffAudio(audio: Uint8Array): AudioFormat | undefined {
  const wav = readWav(audio)
  if (wav) {
    const durationMs = durationOf(wav)
    const { sampleRate, channels } = wav
    return { format: 'wav', sampleRate, channels, ...(durationMs === undefined ? {} : { durationMs }) }
  }
  const tagged = asciiAt(audio, 0, 3) === 'ID3'
  const start = tagged ? 10 + syncSafe(audio, 6) : 0
  const sound = audio.subarray(start)
  if (asciiAt(sound, 0, 4) === 'fLaC' && sound.length >= 42) return sniffFlac(sound)
  if (asciiAt(audio, 0, 4) === 'OggS' && audio.length >= 48) return sniffOgg(audio)
  return mp3Of(sound) ?? (tagged ? { format: 'mp3', sampleRate: 44_100, channels: 2 } : undefined)
}

function sniffFlac(audio: Uint8Array): AudioFormat | undefined {
  const byte = (index: number): number => audio[index] ?? 0
  const sampleRate = (byte(18) << 12) | (byte(19) << 4) | (byte(20) >> 4)
  if (sampleRate === 0) return undefined
  const channels = ((byte(20) >> 1) & 7) + 1
  const samples =
    (byte(21) & 15) * 2 ** 32 + new DataView(audio.buffer, audio.byteOffset, audio.length).getUint32(22)
  const durationMs = samples > 0 ? (samples * 1000) / sampleRate : undefined
  return { format: 'flac', sampleRate, channels, ...(durationMs === undefined ? {} : { durationMs }) }
}

/** Ogg holds sound of several encodings, each with a beginning of its own. */
function sniffOgg(audio: Uint8Array): AudioFormat | undefined {
  const view = new DataView(audio.buffer, audio.byteOffset, audio.length)
  const known = (sampleRate: number, channels: number): AudioFormat | undefined =>
    sampleRate > 0 && channels > 0 ? { format: 'ogg', sampleRate, channels } : undefined
  if (asciiAt(audio, 28, 8) === 'OpusHead') return known(48_000, audio[37] ?? 0)
  if (asciiAt(audio, 29, 6) === 'vorbis') return known(view.getUint32(40, true), audio[39] ?? 0)
  if (asciiAt(audio, 28, 5) === 'Speex' && audio.length >= 80)
    return known(view.getUint32(64, true), view.getUint32(76, true))
  if (asciiAt(audio, 29, 4) !== 'FLAC') return undefined
  const flac = sniffFlac(audio.subarray(37))
  return flac && known(flac.sampleRate, flac.channels)
}

/** Thousands of bits a second of an MP3 frame, by its index: of MPEG-1, and of the later ones with low rates. */
const mp3BitRates = [
  [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
] as const

/** What begins with an MP3 frame, and goes on with another one as far as it is there: raw samples may look like one frame. */
function mp3Of(audio: Uint8Array): AudioFormat | undefined {
  const frame = mp3FrameAt(audio, 0)
  if (!frame) return undefined
  const { length, ...format } = frame
  const isAlone = length === 0 || length + 4 > audio.length || asciiAt(audio, length, 3) === 'TAG'
  return isAlone || mp3FrameAt(audio, length)?.sampleRate === format.sampleRate ? format : undefined
}

/** The frame that begins there. Its length is 0 where its bit rate is not told. */
function mp3FrameAt(audio: Uint8Array, start: number): (AudioFormat & { length: number }) | undefined {
  const [first = 0, second = 0, third = 0, fourth = 0] = audio.subarray(start, start + 4)
  const version = (second >> 3) & 3
  const isLayer3 = first === 0xff && (second & 0xe6) === 0xe2 && version !== 1
  const halvings = { 3: 0, 2: 1 }[version] ?? 2
  const bitRate = mp3BitRates[version === 3 ? 0 : 1][third >> 4]
  const fullRate = [44_100, 48_000, 32_000][(third >> 2) & 3]
  if (!isLayer3 || bitRate === undefined || fullRate === undefined) return undefined
  const sampleRate = fullRate / 2 ** halvings
  const length = Math.floor((bitRate * (version === 3 ? 144_000 : 72_000)) / sampleRate)
  const padding = length > 0 ? (third >> 1) & 1 : 0
  return { format: 'mp3', sampleRate, channels: fourth >> 6 === 3 ? 1 : 2, length: length + padding }
}

function syncSafe(bytes: Uint8Array, offset: number): number {
  return [0, 1, 2, 3].reduce((value, index) => value * 128 + ((bytes[offset + index] ?? 0) & 127), 0)
}
