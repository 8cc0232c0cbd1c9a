import { decodeWav, sniffAudio, type WavAudio } from '@appfactory/sdk'
import { findFfmpeg, readByFfmpeg } from './ffmpeg.js'
import { foreignOf, textAt } from './foreign.js'
import { packetsOf } from './ogg.js'
import { AudioProblem, loadCodec } from './problem.js'
import { isRate, joinBytes, type Sound, soundOf, toMono } from './samples.js'
import { isWebm, opusOfWebm } from './webm.js'

/** What is read of a file at once, in bytes. Silence in FLAC and Vorbis becomes a million times as long. */
const readAtOnce = { wav: 262_144, mp3: 16_384, flac: 1024, vorbis: 512 }

/** Vorbis may claim up to 255. */
const mostChannels = 8

/** What decoders of one family give. */
interface Decoded {
  channelData: Float32Array[]
  sampleRate: number
}

type Sounds = AsyncGenerator<Sound, void, undefined>

/** How to read. */
export interface Reading {
  /** In Hz, of formats without a rate of their own. */
  rate: 16_000 | 24_000
  /** Aborted when nobody waits any more. */
  signal: AbortSignal
  /** How long another program may take. */
  programMs: number
}

/** The sound of a file of any known format, in pieces. What it is, its first bytes tell. @throws AudioProblem. */
export async function* decode(file: Uint8Array, reading: Reading): Sounds {
  let isSilent = true
  try {
    for await (const sound of decoderOf(file, reading)) {
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

function decoderOf(file: Uint8Array, reading: Reading): Sounds {
  if (file.length === 0) throw invalid('It is empty')
  const format = sniffAudio(file)?.format
  if (format === 'wav') return decodePlain(file, reading)
  if (format === 'mp3') return decodeMp3(file)
  if (format === 'flac') return decodeFlac(file)
  if (textAt(file, 0, 4) === 'OggS') return decodeOgg(file, reading)
  return isWebm(file) ? decodeWebm(file, reading) : decodeForeign(file, reading)
}

async function* decodePlain(file: Uint8Array, reading: Reading): Sounds {
  const wav = decodeWav(file)
  if (wav) yield* plainSounds(wav)
  else yield* decodeForeign(file, reading)
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
  yield* decodeParts(new FLACDecoder(), file, readAtOnce.flac)
}

async function* decodeVorbis(file: Uint8Array, channels: number): Sounds {
  if (channels > mostChannels) throw invalid(`It has ${channels} channels, and ${mostChannels} are the most`)
  const name = '@wasm-audio-decoders/ogg-vorbis'
  const codec = await loadCodec('Reading Vorbis', name, () => import('@wasm-audio-decoders/ogg-vorbis'))
  yield* decodeParts(new codec.OggVorbisDecoder(), file, readAtOnce.vorbis)
}

interface PartDecoder {
  ready: Promise<void>
  decode(part: Uint8Array): Promise<Decoded>
  flush(): Promise<Decoded>
  free(): void
}

async function* decodeParts(decoder: PartDecoder, file: Uint8Array, size: number): Sounds {
  try {
    await decoder.ready
    for (const part of partsOf(file, size)) yield soundFrom(await decoder.decode(part))
    yield soundFrom(await decoder.flush())
  } finally {
    decoder.free()
  }
}

/** Ogg holds sound of several encodings: the first packet tells which. */
async function* decodeOgg(file: Uint8Array, reading: Reading): Sounds {
  const packets = packetsOf(file)
  const head = packets.next().value?.data ?? new Uint8Array()
  if (textAt(head, 1, 6) === 'vorbis') yield* decodeVorbis(file, head[11] ?? 0)
  else if (textAt(head, 1, 4) === 'FLAC') yield* decodeFlac(plainFlac(head, packets))
  else if (textAt(head, 0, 8) !== 'OpusHead') yield* decodeForeign(file, reading)
  else {
    // Comments come behind the head.
    packets.next()
    yield* decodeOpus(head, packets, reading)
  }
}

/** In Ogg, only the first packet has anything that is not in a FLAC file. */
function plainFlac(head: Uint8Array, packets: Iterable<Packet>): Uint8Array {
  return joinBytes([head.subarray(9), ...Array.from(packets, ({ data }) => data)])
}

async function* decodeWebm(file: Uint8Array, reading: Reading): Sounds {
  const packets = opusOfWebm(file)
  const head = packets.next().value
  if (head) yield* decodeOpus(head, asPackets(packets), reading)
  else yield* decodeForeign(file, reading)
}

function* asPackets(packets: Iterable<Uint8Array>): Generator<Packet> {
  for (const data of packets) yield { data }
}

interface Packet {
  data: Uint8Array
  /** Samples at 48 kHz up to the end of a stream that ends soon. */
  position?: number | undefined
  isLast?: boolean
}

/** @param head As RFC 7845 has it. */
async function* decodeOpus(head: Uint8Array, packets: Iterable<Packet>, reading: Reading): Sounds {
  const { rate: sampleRate } = reading
  if (head.length < 19 || (head[9] ?? 0) === 0) throw invalid('Its head is broken')
  const { OpusDecoder } = await loadCodec('Reading Opus', 'opus-decoder', () => import('opus-decoder'))
  const decoder = new OpusDecoder({ sampleRate, ...channelsOf(head) })
  const each = 48_000 / sampleRate
  const skip = new DataView(head.buffer, head.byteOffset).getUint16(10, true)
  let heard = 0
  try {
    await decoder.ready
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

/** What no codec here reads, FFmpeg may, if the machine has it. */
async function* decodeForeign(file: Uint8Array, { rate: sampleRate, signal, programMs }: Reading): Sounds {
  const foreign = foreignOf(file)
  if (!foreign) throw invalid('It is no WAV, MP3, FLAC, Ogg, WebM or MP4 file')
  const program = findFfmpeg()
  if (program === undefined) throw unreadable(foreign.what)
  const format = { sampleRate, channels: 1, bitsPerSample: 16, float: false }
  for await (const data of readByFfmpeg(program, file, foreign, sampleRate, signal, programMs))
    yield soundOf({ ...format, data })
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
  return new AudioProblem(
    'unsupported_format',
    `The file is ${what}, which needs FFmpeg: put ffmpeg into PATH where the gateway runs, or send WAV, MP3, FLAC, or Opus in Ogg or WebM`,
  )
}
