import type { PluginHandle } from '@appfactory/host'
import { encodeWav, type STTContract, type TranscriptionOptions } from '@appfactory/sdk'
import { Resampler } from '@appfactory/sdk/internal'
import { hearingRate } from '../audio/jobs.js'
import { joinBytes, toPcm } from '../audio/samples.js'
import { RequestError } from '../errors.js'
import type { Directory } from '../models.js'
import type { SessionSettings } from './settings.js'
import { idOf } from './socket.js'
import { resampled, type SoundFormat } from './sound.js'

const bytesPerSecond = hearingRate * 2
/** Sound that may wait for a plugin before more is taken from the client: a minute. */
const mostWaitingBytes = 60 * bytesPerSecond
/** How long a plugin may take for the transcript after the last sound, in ms. */
const patienceMs = 120_000

/** Who listens to a turn, and how. */
export interface Listening {
  directory: Directory
  /** The plugin; undefined: the active one. */
  ears: string | undefined
  transcription: SessionSettings['transcription']
  /** Told of each piece of text that is heard for good. */
  onDelta(itemId: string, text: string): void
}

/** What one speaks until it is committed: a plugin listens to it while it comes, if it can. */
export class Turn {
  readonly itemId = idOf('item')
  readonly #sound = new SoundQueue()
  readonly #abort = new AbortController()
  readonly #listening: Listening
  readonly #transcript: Promise<string>
  #bytes = 0

  constructor(listening: Listening) {
    this.#listening = listening
    this.#transcript = this.#hear()
    // It is asked for at the end; until then a failure is nobody's.
    this.#transcript.catch(() => this.#sound.close())
  }

  /** How long it is. */
  get seconds(): number {
    return this.#bytes / bytesPerSecond
  }

  /** Takes 16-bit samples at `hearingRate`. */
  push(pcm: Uint8Array): void {
    this.#bytes += pcm.length
    this.#sound.push(pcm)
  }

  /** Resolves when the plugin has taken most of the sound. */
  room(): Promise<void> {
    return this.#sound.room()
  }

  /** Hears sound that is all there. @returns The whole text. @throws What the plugin does. */
  async hear(bytes: Uint8Array, format: SoundFormat): Promise<string> {
    const resampler = new Resampler(format.rate, hearingRate)
    for await (const pcm of resampled(bytes, format, resampler)) this.push(pcm)
    this.push(toPcm(resampler.end()))
    return this.end()
  }

  /** Ends the sound. @returns The whole text. @throws What the plugin does. */
  async end(): Promise<string> {
    this.#sound.end()
    const timer = setTimeout(() => this.#abort.abort(tooSlow()), patienceMs)
    try {
      return await this.#transcript
    } catch (error) {
      throw this.#abort.signal.aborted ? this.#abort.signal.reason : error
    } finally {
      clearTimeout(timer)
    }
  }

  /** Nobody wants the text any more. */
  cancel(): void {
    this.#abort.abort(new Error('The sound was dropped'))
    this.#sound.close()
  }

  async #hear(): Promise<string> {
    const { directory, ears, transcription } = this.#listening
    const { handle, streams } = await findEars(directory, ears)
    const { language, prompt } = transcription ?? {}
    const options: TranscriptionOptions = {
      signal: this.#abort.signal,
      ...(prompt === undefined ? {} : { prompt }),
    }
    if (streams) return this.#hearStream(handle, language, options)
    const parts: Uint8Array[] = []
    for await (const part of this.#sound) parts.push(part)
    this.#abort.signal.throwIfAborted()
    const { text } = await handle.transcribe(wavOf(joinBytes(parts)), language, options)
    return text
  }

  async #hearStream(
    handle: PluginHandle<STTContract>,
    language: string | undefined,
    options: TranscriptionOptions,
  ): Promise<string> {
    const sound = { format: 'pcm_s16le', sampleRate: hearingRate }
    // Somebody who says nothing for long gets no pieces either.
    const patience = { timeoutMs: Number.POSITIVE_INFINITY }
    const spoken = language === undefined ? {} : { language }
    const updates = handle.transcribeStream(this.#sound, { ...options, ...sound, ...patience, ...spoken })
    let text = ''
    for await (const { final } of updates) {
      if (final === null || final === text) continue
      // A client only ever adds to what it was told; the whole comes at the end.
      if (final.startsWith(text)) this.#listening.onDelta(this.itemId, final.slice(text.length))
      text = final
    }
    return text
  }
}

/** Methods of a plugin that listens while somebody speaks, as its capabilities name them. */
const streaming = ['transcribe_stream', 'start_stream']

async function findEars(
  directory: Directory,
  ears: string | undefined,
): Promise<{ handle: PluginHandle<STTContract>; streams: boolean }> {
  const name = ears ?? directory.stt.active()
  if (name === undefined)
    throw new RequestError(404, 'No plugin that listens is loaded. Load one of the contract stt', {
      code: 'model_not_found',
      param: 'session.audio.input.transcription.model',
    })
  const { handle } = await directory.stt.find(name)
  const capabilities = await directory.capabilitiesOf(handle.name)
  return { handle, streams: streaming.some((method) => capabilities.includes(method)) }
}

function wavOf(pcm: Uint8Array<ArrayBuffer>): Uint8Array {
  const samples = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length >> 1)
  return encodeWav(samples, { sampleRate: hearingRate })
}

function tooSlow(): RequestError {
  return new RequestError(504, `The plugin has no transcript after ${patienceMs / 1000} s`, {
    code: 'timeout',
  })
}

/** Sound between a client and a plugin: what waits is taken at once. */
class SoundQueue implements AsyncIterable<Uint8Array> {
  #parts: Uint8Array[] = []
  #waitingBytes = 0
  #isEnded = false
  #wake: (() => void) | undefined
  #onRoom: (() => void) | undefined

  push(part: Uint8Array): void {
    if (this.#isEnded) return
    this.#parts.push(part)
    this.#waitingBytes += part.length
    this.#wake?.()
  }

  async room(): Promise<void> {
    if (this.#isEnded || this.#waitingBytes <= mostWaitingBytes) return
    await new Promise<void>((resolve) => {
      this.#onRoom = resolve
    })
  }

  end(): void {
    this.#isEnded = true
    this.#wake?.()
    this.#onRoom?.()
  }

  /** As `end`, where nobody takes what is left. */
  close(): void {
    this.#parts = []
    this.end()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const parts = this.#parts
      this.#parts = []
      this.#waitingBytes = 0
      this.#onRoom?.()
      if (parts.length > 0) yield joinBytes(parts)
      else if (this.#isEnded) return
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
    }
  }
}
