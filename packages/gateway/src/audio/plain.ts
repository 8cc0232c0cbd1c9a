import { decodeWav, type WavAudio } from '@appfactory/sdk'
import { type Making, rateOf } from './encode.js'
import type { Piece } from './jobs.js'

/** How long slices are: each crosses to the thread and back. */
const firstSeconds = 0.04
const otherSeconds = 0.25

/** The samples of a piece that is sent as it is. Undefined: something has to be done to it. */
export function samplesToSend(piece: Piece, making: Making): Uint8Array | undefined {
  if (making.encoding !== 'pcm') return undefined
  const plain = plainOf(piece)
  const fits = plain?.channels === 1 && plain.sampleRate === rateOf(making, plain.sampleRate)
  return fits && plain.data.length % 2 === 0 ? plain.data : undefined
}

/**
 * A piece of 16-bit samples in shorter ones, so that what is first is sent before all of it is encoded, and no answer waits long for another’s; other
 * pieces as they are.
 */
export function* slicesOf(piece: Piece): Generator<Piece> {
  const plain = plainOf(piece)
  if (!plain) return yield piece
  const { sampleRate, channels, data } = plain
  const bytesOf = (seconds: number): number => Math.ceil(sampleRate * seconds) * 2 * channels
  for (
    let start = 0, end = bytesOf(firstSeconds);
    start < data.length;
    start = end, end += bytesOf(otherSeconds)
  )
    // A copy: the whole buffer behind a view would go to the thread with it.
    yield { audio: data.slice(start, end), format: 'pcm_s16le', sampleRate, channels }
}

function plainOf({ audio, format, sampleRate, channels }: Piece): WavAudio | undefined {
  if (format === 'pcm_s16le') return { sampleRate, channels, bitsPerSample: 16, float: false, data: audio }
  const wav = format === 'wav' ? decodeWav(audio) : undefined
  return wav && wav.bitsPerSample === 16 && !wav.float ? wav : undefined
}
