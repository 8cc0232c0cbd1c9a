import { decodeWav, sniffAudio, type WavAudio } from '@appfactory/sdk'
import { packetsOf } from './ogg.js'
import { AudioProblem, loadCodec } from './problem.js'
import { isRate, type Sound, soundOf, toMono } from './samples.js'

/** What is read of a file at once, in bytes. Silence in FLAC becomes a million times as long. */
const readAtOnce = { wav: 262_144, mp3: 16_384, flac: 2048 }

/** What decoders of one family give. */
interface Decoded {
  channelData: Float32Array[]
  sampleRate: number
}

type Sounds = AsyncGenerator<Sound, void, undefined>

/** Rates that Opus can be read at. */
export type OpusRate = 16_000 | 24_000

/**
 * The sound of a file of any known format, in pieces. What it is, its first bytes tell.
 *
 * @param opusRate Opus has no rate of its own.
 * @throws AudioProblem.
 */
export async function* decode(file: Uint8Array, opusRate: OpusRate): Sounds {
  let isSilent = true
  try {
    for await (const sound of decoderOf(file, opusRate)) {
      if (sound.samples.length === 0) continue
      if (!isRate(sound.sampleRate)) throw invalid(`It has ${sound.sampleRate} samples a second`)
      isSilent = false
      yield sound
    }
  } catch (error) {
    // Codecs throw what they like at damaged files.
    throw error instanceof AudioProblem ? error : invalid('It is damaged')
  }
  if (isSilent) throw invalid('There is no sound in it')
}

function decoderOf(file: Uint8Array, opusRate: OpusRate): Sounds {
  const format = sniffAudio(file)?.format
  if (format === 'wav') return decodePlain(file)
  if (format === 'mp3') return decodeMp3(file)
  if (format === 'flac') return decodeFlac(file)
  if (format === 'ogg') return decodeOgg(file, opusRate)
  throw unknown(file)
}

/** Says what it is, where that is something that people send. */
function unknown(file: Uint8Array): AudioProblem {
  if (file.length === 0) return invalid('It is empty')
  const at = (offset: number, length: number): string =>
    Buffer.from(file.subarray(offset, offset + length)).toString('latin1')
  if (at(4, 4) === 'ftyp') return unreadable('AAC in MP4 (m4a)')
  if (at(0, 4) === '\u001aE\u00df\u00a3') return unreadable('WebM')
  if (file[0] === 0xff && ((file[1] ?? 0) & 0xf6) === 0xf0) return unreadable('AAC')
  return invalid('It is no WAV, MP3, FLAC or Ogg file')
}

async function* decodePlain(file: Uint8Array): Sounds {
  const wav = decodeWav(file)
  if (!wav) throw unreadable('a WAV file with encoded samples')
  yield* plainSounds(wav)
}

/** Plain samples, in pieces. */
export function* plainSounds(wav: WavAudio): Generator<Sound, void, undefined> {
  const frameBytes = (wav.bitsPerSample / 8) * wav.channels
  const step = Math.max(1, Math.floor(readAtOnce.wav / frameBytes)) * frameBytes
  for (let start = 0; start < wav.data.length; start += step)
    yield soundOf({ ...wav, data: wav.data.subarray(start, start + step) })
}

async function* decodeMp3(file: Uint8Array): Sounds {
  const { MPEGDecoder } = await loadCodec('Reading MP3', 'mpg123-decoder', () => import('mpg123-decoder'))
  const decoder = new MPEGDecoder()
  try {
    await decoder.ready
    for (const part of partsOf(file, readAtOnce.mp3)) yield soundFrom(decoder.decode(part))
  } finally {
    decoder.free()
  }
}

async function* decodeFlac(file: Uint8Array): Sounds {
  const name = '@wasm-audio-decoders/flac'
  const { FLACDecoder } = await loadCodec('Reading FLAC', name, () => import('@wasm-audio-decoders/flac'))
  const decoder = new FLACDecoder()
  try {
    await decoder.ready
    for (const part of partsOf(file, readAtOnce.flac)) yield soundFrom(await decoder.decode(part))
    yield soundFrom(await decoder.flush())
  } finally {
    decoder.free()
  }
}

/** Opus in Ogg, as RFC 7845 has it. */
async function* decodeOgg(file: Uint8Array, sampleRate: OpusRate): Sounds {
  const packets = packetsOf(file)
  const head = packets.next().value?.data
  if (!head || Buffer.from(head.subarray(0, 8)).toString('latin1') !== 'OpusHead')
    throw unreadable('Ogg with anything but Opus')
  if (head.length < 19 || (head[9] ?? 0) === 0) throw invalid('Its head is broken')
  const { OpusDecoder } = await loadCodec('Reading Opus', 'opus-decoder', () => import('opus-decoder'))
  const decoder = new OpusDecoder({ sampleRate, ...channelsOf(head) })
  const each = 48_000 / sampleRate
  const skip = new DataView(head.buffer, head.byteOffset).getUint16(10, true)
  let heard = 0
  try {
    await decoder.ready
    // Comments come behind the head.
    packets.next()
    for (const { data, position, isLast } of packets) {
      const { samples } = soundFrom(decoder.decodeFrame(data))
      const from = Math.max(0, Math.round(skip / each) - heard)
      const end = isLast && position !== undefined ? Math.round(position / each) - heard : samples.length
      heard += samples.length
      yield { samples: samples.subarray(from, Math.max(from, end)), sampleRate }
    }
  } finally {
    decoder.free()
  }
}

/** More than two channels say which stream holds which. */
function channelsOf(
  head: Uint8Array,
): ConstructorParameters<typeof import('opus-decoder')['OpusDecoder']>[0] {
  const channels = head[9] ?? 1
  if (head[18] === 0) return { channels }
  const table = [...head.subarray(21, 21 + channels)]
  if (table.length < channels) throw invalid('Its head is broken')
  return {
    channels,
    streamCount: head[19] ?? 1,
    coupledStreamCount: head[20] ?? 0,
    channelMappingTable: table,
  }
}

function soundFrom({ channelData, sampleRate }: Decoded): Sound {
  return { samples: toMono(channelData), sampleRate }
}

function* partsOf(file: Uint8Array, size: number): Generator<Uint8Array> {
  for (let start = 0; start < file.length; start += size) yield file.subarray(start, start + size)
}

function invalid(reason: string): AudioProblem {
  return new AudioProblem('invalid_audio', `The file can’t be read as sound. ${reason}`)
}

function unreadable(what: string): AudioProblem {
  return new AudioProblem('unsupported_format', `The file is ${what}. Send WAV, MP3, FLAC or Opus in Ogg`)
}
