import { decodeWav, sniffAudio, type WavAudio, wrapWav } from '../audio.js'
import { PluginError } from '../errors.js'
import { concat, joinWav, readWav, sampleAt, wholeBlocks } from '../wav.js'

/** Assumed format of sound without a declared one. */
export const assumedFormat = 'The audio has no known header: its format is assumed'

/** Sound with its format. */
export interface SoundPiece {
  audio: Uint8Array
  /** wav, mp3, pcm_s16le, … */
  format: string
  /** In Hz. */
  sampleRate: number
  channels: number
  warnings?: string[] | undefined
}

type Joined = Pick<SoundPiece, 'audio' | 'format' | 'sampleRate' | 'channels'>

/**
 * One file of all pieces. WAV files become one, and pieces of other formats follow each other; uncompressed pieces of
 * several rates, channels or sizes are converted to the highest of them.
 *
 * @throws PluginError TTS_SYNTHESIS_FAILED where the pieces are of formats that can't be put into one file.
 */
export function joinSound(pieces: readonly SoundPiece[]): Joined {
  const [first] = pieces
  if (!first) return { format: 'pcm_s16le', sampleRate: 24_000, channels: 1, audio: new Uint8Array() }
  const { format, sampleRate, channels } = first
  const told = { format, sampleRate, channels }
  const joined = joinWav(pieces.map(({ audio }) => audio))
  if (joined) return { ...told, audio: joined }
  const sounds = plainSounds(pieces)
  if (sounds) return joinPlain(sounds, pieces)
  const odd = pieces.findIndex(
    (piece, index) => index > 0 && (readWav(piece.audio) || shapeOf(piece) !== shapeOf(first)),
  )
  if (odd === -1) return { ...told, audio: concat(pieces.map(({ audio }) => audio)) }
  throw new PluginError(
    'TTS_SYNTHESIS_FAILED',
    `The pieces can’t be joined: the first one is ${shapeOf(first)}, piece ${odd + 1} is ${shapeOf(pieces[odd] ?? first)}. Read them one by one (a stream), or make them all of one format`,
  )
}

/** The pieces as samples; undefined where one of them is compressed, or of no known format. */
function plainSounds(pieces: readonly SoundPiece[]): WavAudio[] | undefined {
  const sounds: WavAudio[] = []
  for (const { audio, format, sampleRate, channels, warnings = [] } of pieces) {
    const [first] = sounds
    const raw = { sampleRate, channels, bitsPerSample: 16, float: false, data: audio }
    // Samples without a header that follow a WAV file go on as it began.
    const continued = first && warnings.includes(assumedFormat) ? { ...first, data: audio } : raw
    const isRaw = format === 'pcm_s16le' && sniffAudio(audio) === undefined
    const sound = isRaw ? continued : decodeWav(audio)
    if (!sound) return undefined
    sounds.push(sound)
  }
  return sounds
}

function joinPlain(sounds: readonly WavAudio[], pieces: readonly SoundPiece[]): Joined {
  const target = widest(sounds)
  const data = concat(
    filesOf(sounds, pieces).flatMap((file) => {
      const parts = file.map((sound) => (isShape(sound, target) ? sound.data : convert(sound, target)))
      return wholeBlocks(concat(parts), (target.channels * target.bitsPerSample) / 8)
    }),
  )
  const { sampleRate, channels } = target
  const isRaw = pieces.every(({ audio }) => sniffAudio(audio) === undefined)
  return isRaw
    ? { format: 'pcm_s16le', sampleRate, channels, audio: data }
    : { format: 'wav', sampleRate, channels, audio: wrapWav({ ...target, data }) }
}

/** Each file with the samples that go on behind it: the end of a piece may be in the middle of a sample, the end of a file not. */
function filesOf(sounds: readonly WavAudio[], pieces: readonly SoundPiece[]): WavAudio[][] {
  const files: WavAudio[][] = []
  for (const [index, sound] of sounds.entries()) {
    const hasHeader = pieces[index] && readWav(pieces[index].audio) !== undefined
    const last = files.at(-1)
    if (hasHeader || !last) files.push([sound])
    else last.push(sound)
  }
  return files
}

type Shape = Omit<WavAudio, 'data'>

/** The highest rate, the most channels, and the samples that hold those of all the others. */
function widest(sounds: readonly Shape[]): Shape {
  const most = (of: (sound: Shape) => number): number =>
    sounds.reduce((highest, sound) => Math.max(highest, of(sound)), 0)
  const float = sounds.some((sound) => sound.float)
  // A float of 32 bits holds whole numbers of 24.
  const needsLong = sounds.some(({ bitsPerSample, float: isFloat }) => bitsPerSample === (isFloat ? 64 : 32))
  return {
    sampleRate: most(({ sampleRate }) => sampleRate),
    channels: most(({ channels }) => channels),
    bitsPerSample: float ? (needsLong ? 64 : 32) : most(({ bitsPerSample }) => bitsPerSample),
    float,
  }
}

function isShape(sound: Shape, { sampleRate, channels, bitsPerSample, float }: Shape): boolean {
  return (
    sound.sampleRate === sampleRate &&
    sound.channels === channels &&
    sound.bitsPerSample === bitsPerSample &&
    sound.float === float
  )
}

/** Between two samples goes what lies on the line between them; a single channel goes to all of the target. */
function convert({ data, sampleRate, channels, bitsPerSample, float }: WavAudio, target: Shape): Uint8Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const frames = Math.floor(data.length / ((channels * bitsPerSample) / 8))
  const at = (frame: number, channel: number): number => {
    if (channel >= channels) return channels === 1 ? at(frame, 0) : 0
    const index = Math.min(frame, frames - 1) * channels + channel
    return sampleAt(view, (index * bitsPerSample) / 8, bitsPerSample, float)
  }
  const count = Math.round((frames * target.sampleRate) / sampleRate)
  const size = target.bitsPerSample / 8
  const converted = new Uint8Array(count * target.channels * size)
  const output = new DataView(converted.buffer)
  for (let frame = 0; frame < count; frame++) {
    const place = (frame * sampleRate) / target.sampleRate
    const before = Math.floor(place)
    for (let channel = 0; channel < target.channels; channel++) {
      const from = at(before, channel)
      const sample = from + (at(before + 1, channel) - from) * (place - before)
      writeSample(output, (frame * target.channels + channel) * size, target, sample)
    }
  }
  return converted
}

function writeSample(view: DataView, offset: number, { bitsPerSample, float }: Shape, sample: number): void {
  if (float) {
    if (bitsPerSample === 64) view.setFloat64(offset, sample, true)
    else view.setFloat32(offset, sample, true)
    return
  }
  const scale = 2 ** (bitsPerSample - 1)
  const whole = Math.max(-scale, Math.min(scale - 1, Math.round(sample * scale)))
  if (bitsPerSample === 8) view.setUint8(offset, whole + scale)
  else if (bitsPerSample === 16) view.setInt16(offset, whole, true)
  else if (bitsPerSample === 32) view.setInt32(offset, whole, true)
  else {
    view.setUint16(offset, whole & 0xffff, true)
    view.setInt8(offset + 2, whole >> 16)
  }
}

function shapeOf({ audio, format, sampleRate, channels }: SoundPiece): string {
  const wav = readWav(audio)
  const encoded = wav ? ` (encoding ${wav.encoding})` : ''
  return `${format}${encoded} of ${sampleRate} Hz and ${channels} channel(s)`
}
