import { randomUUID } from 'node:crypto'
import {
  type HealthStatus,
  type Language,
  PluginError,
  STTContract,
  type StreamOptions,
  type TranscriptionOptions,
  type TranscriptionResult,
  type TranscriptUpdate,
} from '@appfactory/sdk'
import { AudioInput, readAudio } from './audio-input.js'
import type { Transcript } from './protocol.js'
import type { RecogniserThread } from './recogniser-thread.js'
import { Session } from './session.js'
import { ThreadPool } from './thread-pool.js'

/** As `config_schema` in manifest.json says. */
export interface PocketSphinxConfig {
  max_sessions?: number
  session_timeout_seconds?: number
}

const languages: readonly Language[] = [{ code: 'en-US', name: 'English (United States)' }]

/** Speech to text with CMU PocketSphinx. Each session, and each transcription, has a recogniser to itself. */
export default class PocketSphinxPlugin extends STTContract<PocketSphinxConfig> {
  #config = { max_sessions: 4, session_timeout_seconds: 300 }
  #pool = new ThreadPool(this.#config.max_sessions)
  readonly #sessions = new Map<string, Session>()

  initialize(config: PocketSphinxConfig): void {
    this.#config = { ...this.#config, ...config }
    // No thread is started yet: each costs half a second and much memory, so it waits until somebody speaks.
    this.#pool = new ThreadPool(this.#config.max_sessions)
  }

  async shutdown(): Promise<void> {
    for (const session of this.#sessions.values()) session.stopWaiting()
    this.#sessions.clear()
    await this.#pool.close()
  }

  healthCheck(): HealthStatus {
    return {
      status: this.status,
      details: {
        sessions_open: this.#sessions.size,
        max_sessions: this.#pool.limit,
        recognisers_loaded: this.#pool.threads,
      },
    }
  }

  getLanguages(): Language[] {
    return [...languages]
  }

  async transcribe(
    audio: Uint8Array,
    language?: string,
    options: TranscriptionOptions = {},
  ): Promise<TranscriptionResult> {
    checkLanguage(language)
    const { samples, sampleRate } = readAudio(audio, options)
    const thread = await this.#pool.take(options.signal)
    let transcript: Transcript | undefined
    try {
      const partLength = Math.ceil(sampleRate / 4)
      for (let start = 0; start < samples.length; start += partLength) {
        // A quarter of a second at a time: in between, a cancellation is noticed.
        options.signal?.throwIfAborted()
        await thread.push({ samples: samples.slice(start, start + partLength), sampleRate })
      }
      transcript = await thread.end()
    } finally {
      // A decoder adapts to what it hears: one that was aborted is not given on.
      if (!transcript) await thread.terminate()
      this.#pool.giveBack(thread)
    }
    return resultOf(transcript, (samples.length * 1000) / sampleRate, options)
  }

  override startStream(options: StreamOptions = {}): string {
    checkLanguage(options.language)
    const id = randomUUID()
    const timeoutMs = this.#config.session_timeout_seconds * 1000
    // Before the thread is taken, since it refuses formats that can't be read.
    const input = new AudioInput(options)
    const session = new Session(options, input, this.#takeThread(), timeoutMs, () => this.#abandon(id))
    this.#sessions.set(id, session)
    return id
  }

  override feedAudio(sessionId: string, chunk: Uint8Array): Promise<TranscriptUpdate | null> {
    return this.#session(sessionId).feed(chunk)
  }

  override async endStream(sessionId: string): Promise<TranscriptionResult> {
    const session = this.#session(sessionId)
    // Forgotten first, so that nothing can be fed any more.
    this.#sessions.delete(sessionId)
    try {
      return resultOf(await session.end(), session.audioMs, session.options)
    } finally {
      this.#pool.giveBack(session.thread)
    }
  }

  // The inherited method does it all, over a session. Overriding it declares that this plugin can, and sees to it that a
  // recording that arrives in one piece can be cancelled all the same.
  override async *transcribeStream(
    audio: AsyncIterable<Uint8Array>,
    options?: StreamOptions,
  ): AsyncGenerator<TranscriptUpdate, void, undefined> {
    yield* super.transcribeStream(inParts(audio), options)
  }

  #takeThread(): RecogniserThread {
    const thread = this.#pool.tryTake()
    if (thread) return thread
    const { limit } = this.#pool
    throw new PluginError(
      'RESOURCE_EXHAUSTED',
      `All ${limit} recognisers are in use; end a stream first, or raise max_sessions`,
      { limit },
    )
  }

  #session(id: string): Session {
    const session = this.#sessions.get(id)
    if (session) return session
    throw new PluginError(
      'INVALID_PARAMS',
      `session_id: there is no stream "${id}"; it was never started, has ended, or was idle for too long`,
    )
  }

  #abandon(id: string): void {
    this.endStream(id).catch((error: unknown) => console.error(`Closing the idle stream ${id}:`, error))
  }
}

/** A quarter of a second of 16 kHz at most: between two parts, a cancellation is noticed. */
async function* inParts(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const partBytes = 8000
  for await (const chunk of chunks)
    for (let start = 0; start < chunk.length; start += partBytes)
      yield chunk.subarray(start, start + partBytes)
}

function checkLanguage(language = 'en-US'): void {
  const [primary, region = 'us'] = language.toLowerCase().split(/[-_]/)
  if (primary === 'en' && region === 'us') return
  const known = languages.map(({ code }) => code)
  throw new PluginError(
    'STT_LANGUAGE_NOT_SUPPORTED',
    `PocketSphinx has no model for "${language}" here; it understands ${known.join(', ')}`,
    { languages: known },
  )
}

function resultOf(
  { text, words }: Transcript,
  audioMs: number,
  options: TranscriptionOptions,
): TranscriptionResult {
  const ignored = (['diarization', 'prompt', 'temperature'] as const).filter(
    (name) => options[name] !== undefined && options[name] !== false,
  )
  const warnings = ignored.map((name) => `${name} was ignored: PocketSphinx has no such setting`)
  return {
    text,
    language: 'en-US',
    usage: { audioMs },
    ...(options.wordTimestamps ? { words } : {}),
    ...(warnings.length > 0 ? { warnings } : {}),
  }
}
