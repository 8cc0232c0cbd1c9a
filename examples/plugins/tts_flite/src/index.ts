import { setImmediate as letOthersRun } from 'node:timers/promises'
import {
  type AudioChunk,
  encodeWav,
  type HealthStatus,
  PluginError,
  type SynthesisOptions,
  type SynthesisResult,
  sentencesOf,
  TTSContract,
  type Voice,
} from '@appfactory/sdk'
import { Flite, type FliteSettings, type FliteSpeech } from './flite.js'
import { cutIntoPieces, toSpeakable } from './text.js'
import { voices } from './voices.js'
import type { WordTime } from './word-times.js'

/** As `config_schema` in manifest.json says. */
export interface FliteConfig {
  voice?: string
  speed?: number
  max_characters?: number
}

/** Text to speech with CMU Flite. */
export default class FlitePlugin extends TTSContract<FliteConfig> {
  #config = { voice: 'slt', speed: 1, max_characters: 100_000 }
  #flite: Promise<Flite> | undefined

  initialize(config: FliteConfig): void {
    this.#config = { ...this.#config, ...config }
    voiceOf(this.#config.voice)
  }

  shutdown(): void {
    this.#flite = undefined
  }

  healthCheck(): HealthStatus {
    return {
      status: this.status,
      details: { engine_loaded: this.#flite !== undefined, voices_count: voices.length },
    }
  }

  async synthesize(
    text: string,
    voiceId: string = this.#config.voice,
    options: SynthesisOptions = {},
  ): Promise<SynthesisResult> {
    this.#checkText(text)
    checkOptions(options)
    const { id, sampleRate = 16_000 } = voiceOf(voiceId)
    const { speed = this.#config.speed, wordTimestamps = false } = options

    const pieces = await this.#speakInPieces(text, { voice: id, speed, wordTimestamps }, options.signal)
    const { samples, words } = joinSpeech(pieces, sampleRate)
    const warnings = warningsFor(text, options, wordTimestamps && !words)
    return {
      audio: encodeWav(samples, { sampleRate }),
      format: 'wav',
      sampleRate,
      channels: 1,
      durationMs: (samples.length * 1000) / sampleRate,
      voiceId: id,
      usage: { characters: text.length },
      ...(words ? { words } : {}),
      ...(warnings.length > 0 ? { warnings } : {}),
    }
  }

  // The inherited method does it all, sentence by sentence. Overriding it declares that this plugin can stream.
  override async *synthesizeStream(
    text: string | AsyncIterable<string>,
    voiceId?: string,
    options?: SynthesisOptions,
  ): AsyncGenerator<Uint8Array | AudioChunk, void, undefined> {
    // Refused now rather than when the first sentence has arrived.
    if (voiceId !== undefined) voiceOf(voiceId)
    yield* super.synthesizeStream(text, voiceId, options)
  }

  getVoices(): Voice[] {
    return [...voices]
  }

  async #speakInPieces(
    text: string,
    settings: FliteSettings,
    signal: AbortSignal | undefined,
  ): Promise<FliteSpeech[]> {
    const flite = await this.#ensureFlite()
    const pieces: FliteSpeech[] = []
    for await (const sentence of sentencesOf(text)) {
      for (const piece of cutIntoPieces(toSpeakable(sentence))) {
        // Flite blocks while it speaks a piece. In between, health checks are answered and a cancellation arrives.
        await letOthersRun()
        signal?.throwIfAborted()
        pieces.push(speakOrExplain(flite, piece, settings))
      }
    }
    return pieces
  }

  /** Compiling 21 MB of WebAssembly takes a moment: it waits for the first call, and calls at the same time share it. */
  #ensureFlite(): Promise<Flite> {
    this.#flite ??= Flite.load()
    return this.#flite
  }

  #checkText(text: string): void {
    const limit = this.#config.max_characters
    if (text.trim() === '') throw new PluginError('TTS_SYNTHESIS_FAILED', 'Text cannot be empty')
    if (text.length > limit) {
      throw new PluginError(
        'TTS_TEXT_TOO_LONG',
        `Text exceeds maximum length: ${text.length} characters, and ${limit} are allowed; send it in parts`,
        { limit, length: text.length },
      )
    }
  }
}

function speakOrExplain(flite: Flite, text: string, settings: FliteSettings): FliteSpeech {
  try {
    return flite.speak(text, settings)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new PluginError(
      'TTS_SYNTHESIS_FAILED',
      `Flite can't speak "${text}": ${reason}`,
      { text },
      { cause },
    )
  }
}

function voiceOf(voiceId: string): Voice {
  const found = voices.find(({ id }) => id === voiceId)
  if (found) return found
  const known = voices.map(({ id }) => id)
  throw new PluginError(
    'TTS_VOICE_NOT_FOUND',
    `There is no voice "${voiceId}"; there is ${known.join(', ')}`,
    { voices: known },
  )
}

function checkOptions({ format = 'wav', textType = 'text' }: SynthesisOptions): void {
  if (format !== 'wav') throw new PluginError('INVALID_PARAMS', `format: tts_flite makes wav, not ${format}`)
  // Flite has an SSML mode of its own, but it keeps only the last part of the audio.
  if (textType !== 'text') {
    throw new PluginError('INVALID_PARAMS', `text_type: tts_flite reads plain text, not ${textType}`)
  }
}

function warningsFor(text: string, options: SynthesisOptions, wordsMissing: boolean): string[] {
  const ignored = (['sampleRate', 'pitch', 'volume'] as const).filter((name) => options[name] !== undefined)
  const { language = 'en' } = options
  return [
    ...ignored.map((name) => `${name} was ignored: Flite has no such setting`),
    ...(language.toLowerCase().startsWith('en')
      ? []
      : [`language ${language} was ignored: Flite speaks English`]),
    ...(/[\p{L}\p{N}]/u.test(toSpeakable(text))
      ? []
      : ['The text has nothing that Flite can say: this is silence']),
    ...(wordsMissing ? ['The times of the words could not be told'] : []),
  ]
}

/** Puts the pieces one after the other; the words are there only where every piece has them. */
function joinSpeech(
  pieces: readonly FliteSpeech[],
  sampleRate: number,
): { samples: Int16Array; words: WordTime[] | undefined } {
  const samples = new Int16Array(pieces.reduce((sum, piece) => sum + piece.samples.length, 0))
  const words: WordTime[] = []
  let offset = 0
  for (const piece of pieces) {
    const before = Math.round((offset * 1000) / sampleRate)
    samples.set(piece.samples, offset)
    offset += piece.samples.length
    for (const { word, startMs, endMs } of piece.words ?? []) {
      words.push({ word, startMs: before + startMs, endMs: before + endMs })
    }
  }
  return { samples, words: pieces.every((piece) => piece.words) ? words : undefined }
}
