import { toMono16 } from '@appfactory/sdk'
import type { Making } from '../audio/encode.js'
import { audioFailure } from '../audio/failure.js'
import { boundedSeconds, hearingRate } from '../audio/jobs.js'
import { encodeSpeech } from '../audio/thread.js'
import { wrongMember } from '../errors.js'
import type { SoundFormat } from './events.table.js'

/** Samples that a client has sent at once. */
export interface SoundChunk extends SoundFormat {
  audio: Uint8Array
}

/** Looks at the chunks of one sound as they come. */
export class SoundCheck {
  #rate: number | undefined
  #seconds = 0

  /** @throws RequestError where a chunk is no whole frames, has another rate, or is too much. */
  check({ rate, width, channels, audio }: SoundChunk): void {
    const frameBytes = width * channels
    this.#rate ??= rate
    if (rate !== this.#rate) throw wrongMember('rate', 'must be the same in each audio-chunk of a sound')
    if (audio.length % frameBytes !== 0)
      throw wrongMember('payload', `must be whole frames of ${frameBytes} bytes`)
    try {
      this.#seconds = boundedSeconds(this.#seconds + audio.length / frameBytes / rate)
    } catch (error) {
      throw audioFailure(error, 'payload')
    }
  }
}

const heard: Making = {
  encoding: 'pcm',
  sampleRate: hearingRate,
  isStreamed: true,
  mostSeconds: Number.POSITIVE_INFINITY,
}

/** As 16-bit mono at `hearingRate`; nothing where there are no samples. The thread of sound converts other rates. */
export async function* hearable(
  chunks: AsyncIterable<SoundChunk>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const pieces = monoOf(chunks)
  const { done, value: first } = await pieces.next()
  if (done) return
  const all = startingWith(first, pieces)
  if (first.sampleRate === hearingRate) for await (const { audio } of all) yield audio
  else yield* encodeSpeech(all, heard, signal)
}

interface MonoPiece {
  audio: Uint8Array
  format: 'pcm_s16le'
  sampleRate: number
  channels: 1
}

async function* monoOf(chunks: AsyncIterable<SoundChunk>): AsyncGenerator<MonoPiece, void, undefined> {
  for await (const { audio, rate, width, channels } of chunks) {
    if (audio.length === 0) continue
    const wav = { sampleRate: rate, channels, bitsPerSample: width * 8, float: false, data: audio }
    const mono = width === 2 && channels === 1 ? audio : new Uint8Array(toMono16(wav).buffer)
    yield { audio: mono, format: 'pcm_s16le', sampleRate: rate, channels: 1 }
  }
}

/** What has been looked at, and then the rest. */
export async function* startingWith<Item>(
  first: Item,
  rest: AsyncIterable<Item>,
): AsyncGenerator<Item, void, undefined> {
  yield first
  yield* rest
}
