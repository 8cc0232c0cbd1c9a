import type { CallOptions } from './client.js'
import type { ResultExtras, WordTiming } from './common.types.js'

/** A part of a transcript, such as a sentence, or what one speaker says. */
export interface TranscriptSegment {
  /** What is said in it. */
  text: string
  /** Start, in ms from the beginning. */
  startMs: number
  /** End, in ms from the beginning. */
  endMs: number
  /** Who speaks, if `diarization` asked for it and the engine can tell. */
  speaker?: string | undefined
  /** What else the engine tells. */
  [key: string]: unknown
}

/** A transcript. */
export interface TranscriptionResult extends ResultExtras {
  /** All that was heard. */
  text: string
  /** How sure the engine is, from 0 to 1. */
  confidence?: number | undefined
  /** BCP 47 tag, such as en-US. */
  language?: string | undefined
  /** When each word is spoken, if `wordTimestamps` asked for it and the engine can tell. */
  words?: WordTiming[] | undefined
  /** The parts of the transcript. */
  segments?: TranscriptSegment[] | undefined
}

/** News of a stream. */
export interface TranscriptUpdate {
  /** What is heard beyond `final`. It may still change. null: no news. */
  partial: string | null
  /** All text so far that will not change any more. null: no news. */
  final: string | null
  /** When each word is spoken. */
  words?: WordTiming[] | undefined
  /** What else the engine tells. */
  [key: string]: unknown
}

/** A language that a speech-to-text plugin understands. */
export interface Language {
  /** BCP 47 tag, such as en-US. */
  code: string
  /** For people. */
  name: string
  /** What else the engine tells. */
  [key: string]: unknown
}

/** How to listen. */
export interface TranscriptionOptions extends CallOptions {
  /** Format of audio that has no header, such as pcm_s16le. Default: what the header says. */
  format?: string | undefined
  /** Sample rate of audio that has no header, in Hz: 1,000 to 384,000. Default: what the header says. */
  sampleRate?: number | undefined
  /** Whether to return when each word is spoken. Default: false. */
  wordTimestamps?: boolean | undefined
  /** Whether to tell speakers apart. Default: false. */
  diarization?: boolean | undefined
  /** Words that are likely to be said. */
  prompt?: string | undefined
  /** Randomness of the engine, 0 or more; 0 is the most predictable. Default: the engine's own. */
  temperature?: number | undefined
  /** Options of the engine itself, which it gets as they are. */
  providerOptions?: Record<string, unknown> | undefined
}

/** How to listen to a stream. */
export interface StreamOptions extends TranscriptionOptions {
  /** BCP 47 tag, such as en-US. Default: the plugin's own. */
  language?: string | undefined
}

/** A speech-to-text plugin, as an application sees it through the host. */
export interface STTClient {
  /**
   * Converts audio to text.
   *
   * @param audio A WAV file, or what `format` and `sampleRate` in the options say.
   * @param language BCP 47 tag, such as en-US. Default: the plugin's own.
   * @throws PluginError STT_TRANSCRIPTION_FAILED and the errors of every call.
   * @example const { text } = await stt.transcribe(audio, 'en-US')
   */
  transcribe(
    audio: Uint8Array,
    language?: string,
    options?: TranscriptionOptions,
  ): Promise<TranscriptionResult>
  /** Lists the languages. */
  getLanguages(options?: CallOptions): Promise<Language[]>
  /**
   * Begins a session that is fed piece by piece. `transcribeStream` does the same in one loop.
   *
   * @returns The session's id, for `feedAudio` and `endStream`.
   */
  startStream(options?: StreamOptions): Promise<string>
  /** Feeds a session with audio. Returns what is new. */
  feedAudio(sessionId: string, chunk: Uint8Array, options?: CallOptions): Promise<TranscriptUpdate>
  /** Ends a session. Returns the whole text. */
  endStream(sessionId: string, options?: CallOptions): Promise<TranscriptionResult>
  /**
   * Converts audio to text while it arrives. `break` ends the transcription.
   *
   * @param audio Audio, or what yields it.
   * @example for await (const { partial, final } of stt.transcribeStream(microphone)) show(final ?? partial)
   */
  transcribeStream(
    audio: AsyncIterable<Uint8Array> | Uint8Array,
    options?: StreamOptions,
  ): AsyncIterable<TranscriptUpdate>
}
