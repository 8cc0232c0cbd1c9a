import type { AudioChunk, TextChunk, TTSContract } from '@appfactory/sdk'
import type { OpenAI } from 'openai'
import { type Making, speechRate } from '../audio/encode.js'
import { joinBytes } from '../audio/samples.js'
import { encodeSpeech } from '../audio/thread.js'
import { RequestError, unsupported } from '../errors.js'
import type { Exchange } from '../exchange.js'
import type { Target } from '../models.js'
import { now, uniqueId } from './generation.js'
import type { ChatRequest } from './generation.table.js'
import { speechFailure, voiceOf } from './speech.js'
import { canBeSaid, sentencesSpoken } from './spoken.js'

/** A piece of an answer that is spoken: its text, or the sound of a text before. */
export interface SpokenChunk extends TextChunk {
  sound?: Uint8Array
}

/** What speaks the answers of a chat; undefined: nothing is to. @throws RequestError 400. */
export async function chatVoiceOf(exchange: Exchange, request: ChatRequest): Promise<ChatVoice | undefined> {
  const { modalities = ['text'], audio } = request
  if (modalities.some((each) => each !== 'text' && each !== 'audio'))
    throw unsupported('modalities', 'must be "text" and, where it is to be spoken, "audio"')
  if (!modalities.includes('audio')) {
    if (audio) throw unsupported('audio', 'needs "audio" in modalities')
    return undefined
  }
  const target = await exchange.directory.speaker()
  if (!target) throw unsupported('modalities', 'must be ["text"]: no plugin that speaks is loaded')
  if (!audio)
    throw new RequestError(400, 'audio: is required where modalities has "audio"', {
      ...{ param: 'audio', code: 'missing_required_parameter' },
    })
  const { format } = audio
  if (request.stream && format !== 'pcm16') throw unsupported('audio.format', 'must be "pcm16" in a stream')
  const asked = typeof audio.voice === 'object' ? audio.voice.id : audio.voice
  const voice = await voiceOf(target, asked, exchange, 'audio.voice')
  return new ChatVoice(exchange, target, voice, {
    encoding: format === 'pcm16' ? 'pcm' : format,
    sampleRate: format === 'pcm16' ? speechRate : undefined,
    // A file tells how long it is.
    isStreamed: format !== 'wav' && format !== 'flac',
    mostSeconds: exchange.audioSeconds,
  })
}

/** Speaks what a model writes, and keeps the text, so that clients may refer to it. */
export class ChatVoice {
  readonly #exchange: Exchange
  readonly #target: Target<TTSContract>
  readonly #voice: string | undefined
  readonly #making: Making

  constructor(exchange: Exchange, target: Target<TTSContract>, voice: string | undefined, making: Making) {
    this.#exchange = exchange
    this.#target = target
    this.#voice = voice
    this.#making = making
  }

  /** The sound of a whole text; undefined: there is nothing to say. */
  async spoken(text: string): Promise<OpenAI.ChatCompletionAudio | undefined> {
    if (!canBeSaid(text)) return undefined
    const parts: Uint8Array[] = []
    for await (const part of this.#encoded(this.#speak(text))) parts.push(part)
    const data = Buffer.from(joinBytes(parts)).toString('base64')
    return { ...this.keep(uniqueId('audio_'), text), data, transcript: text }
  }

  /** The pieces of an answer, and behind those of a sentence its sound. */
  async *stream(pieces: AsyncIterable<TextChunk>): AsyncGenerator<SpokenChunk, void, undefined> {
    const written: TextChunk[] = []
    async function* texts(): AsyncGenerator<string> {
      for await (const piece of pieces) {
        written.push(piece)
        if (piece.text !== '') yield piece.text
      }
    }
    for await (const sound of this.#encoded(sentencesSpoken(texts(), (text) => this.#speak(text)))) {
      yield* written.splice(0)
      yield { text: '', sound }
    }
    yield* written
  }

  /** Keeps a text under the id of its sound. @returns What a client learns of that. */
  keep(id: string, text: string): { id: string; expires_at: number } {
    const { transcripts, owner, settings } = this.#exchange
    if (settings.stateless) return { id, expires_at: now() }
    transcripts.of(owner).add(id, text, Buffer.byteLength(text))
    return { id, expires_at: now() + Math.floor(settings.limits.storedResponseMs / 1000) }
  }

  #speak(text: string): AsyncIterable<AudioChunk> {
    return this.#target.handle.synthesizeStream(text, this.#voice, { signal: this.#exchange.signal })
  }

  async *#encoded(pieces: Parameters<typeof encodeSpeech>[0]): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* encodeSpeech(pieces, this.#making, this.#exchange.signal)
    } catch (error) {
      throw speechFailure(error, 'audio.format')
    }
  }
}
