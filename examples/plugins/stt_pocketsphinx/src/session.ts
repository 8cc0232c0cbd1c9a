import type { StreamOptions, TranscriptUpdate } from '@appfactory/sdk'
import type { AudioInput } from './audio-input.js'
import type { Transcript } from './protocol.js'
import type { RecogniserThread } from './recogniser-thread.js'

/** One stream of audio, and the recogniser that listens to it. */
export class Session {
  readonly options: StreamOptions
  readonly thread: RecogniserThread
  readonly #input: AudioInput
  readonly #idle: NodeJS.Timeout
  #lastPartial = ''
  #audioMs = 0

  /** @param onIdle Called when nothing has been fed for `timeoutMs`: a client that went away must not keep the thread. */
  constructor(
    options: StreamOptions,
    input: AudioInput,
    thread: RecogniserThread,
    timeoutMs: number,
    onIdle: () => void,
  ) {
    this.options = options
    this.thread = thread
    this.#input = input
    this.#idle = setTimeout(onIdle, timeoutMs).unref()
  }

  get audioMs(): number {
    return this.#audioMs
  }

  /** What is understood now, or null where that is what was understood before. */
  async feed(chunk: Uint8Array): Promise<TranscriptUpdate | null> {
    this.#idle.refresh()
    const audio = this.#input.push(chunk)
    if (!audio) return null
    this.#audioMs += (audio.samples.length * 1000) / audio.sampleRate
    const partial = await this.thread.push(audio)
    if (partial === this.#lastPartial) return null
    this.#lastPartial = partial
    return { partial, final: null }
  }

  end(): Promise<Transcript> {
    this.stopWaiting()
    return this.thread.end()
  }

  stopWaiting(): void {
    clearTimeout(this.#idle)
  }
}
