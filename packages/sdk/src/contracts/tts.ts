import { isUint8Array } from 'node:util/types'
import { sniffAudio } from '../audio.js'
import { PluginError } from '../errors.js'
import { sentencesOf } from '../sentences.js'
import { type Awaitable, PluginBase } from './base.js'
import type { clientType } from './client.js'
import { contractSymbol, type MethodBehaviour } from './contract.js'
import { assumedFormat, joinSound } from './join-sound.js'
import { shippedBinding } from './shipped.js'
import type { AudioChunk, SynthesisOptions, SynthesisResult, TTSClient, Voice } from './tts.types.js'

const behaviour: Record<string, MethodBehaviour> = {
  synthesize: { normalise: describeAudio },
  synthesizeStream: { normalisePiece: describeAudio, normalise: describeAudio, aggregate: joinAudio },
}

/**
 * Text to speech. Extend it and implement `synthesize` and `getVoices`.
 *
 * @example
 * export default class MyTTS extends TTSContract {
 *   async initialize() {}
 *   async shutdown() {}
 *   async healthCheck() { return { status: this.status } }
 *   async synthesize(text: string) { return encodeWav(speak(text), { sampleRate: 16_000 }) }
 *   async getVoices() { return [{ id: 'default', name: 'Default', language: 'en-US' }] }
 * }
 */
export abstract class TTSContract<Config = Record<string, unknown>> extends PluginBase<Config> {
  static readonly [contractSymbol] = shippedBinding('tts', behaviour)
  declare readonly [clientType]?: TTSClient

  /** Converts `text` to audio: bytes of a WAV, MP3, Ogg or FLAC file, or a SynthesisResult. */
  abstract synthesize(
    text: string,
    voiceId?: string,
    options?: SynthesisOptions,
  ): Awaitable<Uint8Array | SynthesisResult>

  /** Lists the voices. */
  abstract getVoices(): Awaitable<Voice[]>

  /** Describes one voice. Default: looks it up in `getVoices()`. */
  getVoiceInfo(voiceId: string): Awaitable<Voice> {
    return this.#findVoice(voiceId)
  }

  /** Converts text to audio piece by piece. Default: sentence by sentence over `synthesize()`. */
  async *synthesizeStream(
    text: string | AsyncIterable<string>,
    voiceId?: string,
    options?: SynthesisOptions,
  ): AsyncGenerator<Uint8Array | AudioChunk, void, undefined> {
    for await (const sentence of sentencesOf(text)) {
      options?.signal?.throwIfAborted()
      const speech = await this.synthesize(sentence, voiceId, options)
      yield {
        ...describeAudio(isUint8Array(speech) ? { audio: speech } : speech, options),
        text: sentence,
      }
    }
  }

  async #findVoice(voiceId: string): Promise<Voice> {
    const voices = await this.getVoices()
    const found = voices.find(({ id }) => id === voiceId)
    if (found) return found
    const known = voices.map(({ id }) => id)
    throw new PluginError(
      'TTS_VOICE_NOT_FOUND',
      `There is no voice "${voiceId}"; there is ${known.join(', ')}`,
      { voices: known },
    )
  }
}

/** Fills in fields that the plugin left out from the audio's header. */
function describeAudio(
  speech: Record<string, unknown>,
  { voiceId, format, sampleRate }: { voiceId?: unknown; format?: unknown; sampleRate?: unknown } = {},
): SynthesisResult {
  if (!isUint8Array(speech['audio'])) {
    throw new TypeError('synthesize must return a Uint8Array, or an object whose `audio` is one')
  }
  const sniffed = sniffAudio(speech['audio'])
  const guess = { format: format ?? 'pcm_s16le', sampleRate: sampleRate ?? 24_000, channels: 1 }
  const assumed =
    sniffed || ('format' in speech && 'sampleRate' in speech) ? {} : { warnings: [assumedFormat] }
  const spoken = voiceId === undefined ? {} : { voiceId }
  return withRawDuration({
    ...(sniffed ?? guess),
    ...spoken,
    ...assumed,
    ...withoutUndefined(speech),
  } as SynthesisResult)
}

function withRawDuration(speech: SynthesisResult): SynthesisResult {
  if (speech.durationMs !== undefined || speech.format !== 'pcm_s16le') return speech
  return { ...speech, durationMs: (speech.audio.length * 500) / (speech.sampleRate * speech.channels) }
}

/** All pieces of a stream as one. */
function joinAudio(pieces: readonly Record<string, unknown>[]): Partial<SynthesisResult> {
  const chunks = pieces as unknown as AudioChunk[]
  const warnings = [...new Set(chunks.flatMap((chunk) => chunk.warnings ?? []))]
  return {
    ...joinSound(chunks),
    ...(chunks.some(({ words }) => words) ? { words: joinWords(chunks) } : {}),
    ...(chunks.some(({ usage }) => usage) ? { usage: addUsage(chunks.map(({ usage = {} }) => usage)) } : {}),
    ...(warnings.length > 0 ? { warnings } : {}),
  }
}

function addUsage(usages: readonly Record<string, unknown>[]): Record<string, number> {
  const sum: Record<string, number> = {}
  for (const [key, value] of usages.flatMap((usage) => Object.entries(usage))) {
    if (typeof value === 'number') sum[key] = (sum[key] ?? 0) + value
  }
  return sum
}

function joinWords(chunks: readonly AudioChunk[]): NonNullable<AudioChunk['words']> {
  let startMs = 0
  return chunks.flatMap(({ words = [], durationMs = 0 }) => {
    const shifted = words.map((word) => ({
      ...word,
      startMs: word.startMs + startMs,
      endMs: word.endMs + startMs,
    }))
    startMs += durationMs
    return shifted
  })
}

function withoutUndefined(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))
}
