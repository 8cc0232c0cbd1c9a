import type { CallOptions } from './client.js'
import type { ResultExtras, WordTiming } from './common.types.js'

/** A voice of a text-to-speech plugin. */
export interface Voice {
  /** What `synthesize` takes as `voiceId`. */
  id: string
  /** For people. */
  name: string
  /** BCP 47 tag, such as en-US. */
  language: string
  /** In the engine's own words. */
  gender?: string | undefined
  /** What it sounds like, in a sentence. */
  description?: string | undefined
  /** Sample rate of its audio, in Hz. */
  sampleRate?: number | undefined
  /** What else the engine tells. */
  [key: string]: unknown
}

/** Audio, with what is known about it. */
export interface SynthesisResult extends ResultExtras {
  /** The bytes of a file, or samples without a header: see `format`. */
  audio: Uint8Array
  /** wav, mp3, ogg, flac, or pcm_s16le: samples of 16 bits, little-endian, without a header. */
  format: string
  /** In Hz. */
  sampleRate: number
  /** 1 is mono, 2 is stereo. */
  channels: number
  /** Length of the audio, in ms. Missing where the format does not tell. */
  durationMs?: number | undefined
  /** The voice that spoke. */
  voiceId?: string | undefined
  /** When each word is spoken, if `wordTimestamps` asked for it and the engine can tell. */
  words?: WordTiming[] | undefined
}

/** One piece of streamed audio. */
export interface AudioChunk extends SynthesisResult {
  /** The part of the text that is spoken in this piece. */
  text?: string | undefined
}

/** How to speak. An engine that can't do one of these reports it in `warnings`, or fails. */
export interface SynthesisOptions extends CallOptions {
  /** Format of the audio: wav, mp3, pcm_s16le, … Default: the engine's own. */
  format?: string | undefined
  /** Sample rate of the audio, in Hz: 1,000 to 384,000. Default: the engine's own. */
  sampleRate?: number | undefined
  /** Factor, 0.1 to 10: 1 is normal, 2 is twice as fast. Default: 1. */
  speed?: number | undefined
  /** Factor: 1 is normal. Default: 1. */
  pitch?: number | undefined
  /** Factor, 0 or more: 1 is normal. Default: 1. */
  volume?: number | undefined
  /** Language of the text, as a BCP 47 tag such as en-US. Default: that of the voice. */
  language?: string | undefined
  /** How to read the text. Default: text. */
  textType?: 'text' | 'ssml' | undefined
  /** How to speak, in words: cheerfully, in a whisper. A plugin that knows them has `instructions` in its manifest's `capabilities`. */
  instructions?: string | undefined
  /** Whether to return when each word is spoken. Default: false. */
  wordTimestamps?: boolean | undefined
  /** Options of the engine itself, which it gets as they are. */
  providerOptions?: Record<string, unknown> | undefined
}

/** A text-to-speech plugin, as an application sees it through the host. */
export interface TTSClient {
  /**
   * Converts text to audio.
   *
   * @param text What to say.
   * @param voiceId The `id` of one of `getVoices()`. Default: the plugin's own.
   * @throws PluginError TTS_VOICE_NOT_FOUND, TTS_SYNTHESIS_FAILED and the errors of every call.
   * @example const { audio, durationMs } = await tts.synthesize('Hello', 'slt', { speed: 0.9 })
   */
  synthesize(text: string, voiceId?: string, options?: SynthesisOptions): Promise<SynthesisResult>
  /** Lists the voices. */
  getVoices(options?: CallOptions): Promise<Voice[]>
  /**
   * Describes one voice.
   *
   * @throws PluginError TTS_VOICE_NOT_FOUND.
   */
  getVoiceInfo(voiceId: string, options?: CallOptions): Promise<Voice>
  /**
   * Converts text to audio piece by piece. The text may arrive piece by piece too. `break` ends the synthesis.
   *
   * @param text What to say, or what yields it.
   * @param voiceId The `id` of one of `getVoices()`. Default: the plugin's own.
   * @example for await (const { audio, text } of tts.synthesizeStream('One. Two.')) play(audio)
   */
  synthesizeStream(
    text: string | AsyncIterable<string>,
    voiceId?: string,
    options?: SynthesisOptions,
  ): AsyncIterable<AudioChunk>
}
