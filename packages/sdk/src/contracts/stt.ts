import { PluginError } from '../errors.js'
import { concat } from '../wav.js'
import { type Awaitable, PluginBase } from './base.js'
import type { clientType } from './client.js'
import { contractSymbol, type MethodBehaviour } from './contract.js'
import { shippedBinding } from './shipped.js'
import type {
  Language,
  STTClient,
  StreamOptions,
  TranscriptionOptions,
  TranscriptionResult,
  TranscriptUpdate,
} from './stt.types.js'

const noNews = { partial: null, final: null }

const behaviour: Record<string, MethodBehaviour> = {
  feedAudio: { normalise: (update) => ({ ...noNews, ...update }) },
  transcribeStream: {
    normalisePiece: (update) => ({ ...noNews, ...update }),
    aggregate: (updates) => ({
      text: updates.findLast(({ final }) => typeof final === 'string')?.['final'] ?? '',
    }),
  },
}

/**
 * Speech to text. Extend it and implement `transcribe` and `getLanguages`; and `startStream`, `feedAudio` and
 * `endStream` where the engine can listen while somebody speaks.
 */
export abstract class STTContract<Config = Record<string, unknown>> extends PluginBase<Config> {
  static readonly [contractSymbol] = shippedBinding('stt', behaviour)
  declare readonly [clientType]?: STTClient

  /** Converts `audio` (a WAV file, or the format in `options.format`) to text. */
  abstract transcribe(
    audio: Uint8Array,
    language?: string,
    options?: TranscriptionOptions,
  ): Awaitable<string | TranscriptionResult>

  /** Lists the languages. */
  abstract getLanguages(): Awaitable<Language[]>

  /** Begins a session and returns its id. Default: not supported. */
  startStream(_options?: StreamOptions): Awaitable<string> {
    throw noSessions()
  }

  /** Feeds a session; returns what is new, or null. Default: not supported. */
  feedAudio(_sessionId: string, _chunk: Uint8Array): Awaitable<TranscriptUpdate | null> {
    throw noSessions()
  }

  /** Ends a session and returns the whole text. Default: not supported. */
  endStream(_sessionId: string): Awaitable<string | TranscriptionResult> {
    throw noSessions()
  }

  /** Converts audio to text while it arrives. Default: over a session or, without sessions, over `transcribe()`. */
  async *transcribeStream(
    audio: AsyncIterable<Uint8Array>,
    options?: StreamOptions,
  ): AsyncGenerator<TranscriptUpdate, void, undefined> {
    if (this.startStream === STTContract.prototype.startStream) {
      const chunks: Uint8Array[] = []
      for await (const chunk of audio) chunks.push(chunk)
      yield {
        partial: null,
        final: textOf(await this.transcribe(concat(chunks), options?.language, options)),
      }
      return
    }
    const sessionId = await this.startStream(options)
    let heardAll = false
    try {
      for await (const chunk of audio) {
        options?.signal?.throwIfAborted()
        const update = await this.feedAudio(sessionId, chunk)
        if (update) yield update
      }
      heardAll = true
    } finally {
      if (!heardAll) await this.#abandon(sessionId)
    }
    yield { partial: null, final: textOf(await this.endStream(sessionId)) }
  }

  /** Ends an abandoned session; the original error is the one to report. */
  async #abandon(sessionId: string): Promise<void> {
    try {
      await this.endStream(sessionId)
    } catch {}
  }
}

function textOf(transcript: string | TranscriptionResult): string {
  return typeof transcript === 'string' ? transcript : transcript.text
}

function noSessions(): PluginError {
  return new PluginError('METHOD_NOT_FOUND', 'This plugin has no streaming sessions; use transcribe')
}
