import { setTimeout as delay } from 'node:timers/promises'
import {
  type AudioChunk,
  type CallContext,
  type ChatMessage,
  defineContract,
  EmbeddingContract,
  type EmbeddingOptions,
  encodeWav,
  type GenerationOptions,
  type HealthStatus,
  type ImplementationOf,
  LLMContract,
  PluginError,
  STTContract,
  type SynthesisOptions,
  type SynthesisResult,
  type TranscriptionOptions,
  type TranscriptUpdate,
  TTSContract,
  textOf,
  type Voice,
} from '@appfactory/sdk'
import { z } from 'zod'

const voices: Voice[] = [
  { id: 'low', name: 'Low', language: 'en-US' },
  { id: 'high', name: 'High', language: 'en-US' },
]

/** A voice that is a tone; it honours every capability of its contract. */
export class GoodTts extends TTSContract {
  protected calls = 0

  initialize(_config?: unknown): boolean | void {}
  shutdown(): void {}
  healthCheck(): HealthStatus {
    return { status: this.status, message: 'fine', details: { calls: this.calls } }
  }
  async synthesize(
    text: string,
    voiceId = 'low',
    options: SynthesisOptions = {},
  ): Promise<Uint8Array | SynthesisResult> {
    return this.speak(text, voiceId, options)
  }
  getVoices(): Voice[] {
    return voices
  }
  override async getVoiceInfo(voiceId: string): Promise<Voice> {
    return voiceOf(voiceId)
  }
  override async *synthesizeStream(
    text: string | AsyncIterable<string>,
    voiceId = 'low',
    options: SynthesisOptions = {},
  ): AsyncGenerator<Uint8Array | AudioChunk, void, undefined> {
    for await (const part of typeof text === 'string' ? text.split(/(?<=\. )/) : text)
      yield this.speak(part, voiceId, options)
  }
  override captureState(): unknown {
    return { calls: this.calls, last: new Uint8Array([1, 2]) }
  }
  override async restoreState(state: unknown): Promise<void> {
    this.calls = (state as { calls: number }).calls
  }

  protected async speak(
    text: string,
    voiceId: string,
    { signal }: SynthesisOptions,
  ): Promise<SynthesisResult> {
    voiceOf(voiceId)
    await delay(text.length > 200 ? 60 : 1, undefined, signal ? { signal } : {})
    this.calls += 1
    const samples = new Int16Array(text.length * 80).fill(1000)
    const durationMs = text.length * 10
    return {
      audio: encodeWav(samples, { sampleRate: 8000 }),
      format: 'wav',
      sampleRate: 8000,
      channels: 1,
      durationMs,
    }
  }
}

function voiceOf(id: string): Voice {
  const voice = voices.find((each) => each.id === id)
  if (voice) return voice
  throw new PluginError('TTS_VOICE_NOT_FOUND', `There is no voice ${id}`)
}

/** "Hears" how many bytes there were. */
export class GoodStt extends STTContract {
  protected readonly sessions = new Map<string, number>()
  #lastSession = 0

  initialize(): void {}
  shutdown(): void {}
  healthCheck(): HealthStatus {
    return { status: this.status }
  }
  async transcribe(
    audio: Uint8Array,
    _language?: string,
    options: TranscriptionOptions = {},
  ): Promise<string> {
    return listen(audio.length, options.signal)
  }
  async getLanguages() {
    return [{ code: 'en-US', name: 'English' }]
  }
  override startStream(): string {
    const id = `session ${++this.#lastSession}`
    this.sessions.set(id, 0)
    return id
  }
  override async feedAudio(sessionId: string, chunk: Uint8Array): Promise<TranscriptUpdate | null> {
    const bytes = this.bytesOf(sessionId) + chunk.length
    this.sessions.set(sessionId, bytes)
    return { partial: `${bytes} bytes`, final: null }
  }
  override async endStream(sessionId: string): Promise<string> {
    const bytes = this.bytesOf(sessionId)
    this.sessions.delete(sessionId)
    return `${bytes} bytes`
  }
  override async *transcribeStream(
    audio: AsyncIterable<Uint8Array>,
    options: TranscriptionOptions = {},
  ): AsyncGenerator<TranscriptUpdate, void, undefined> {
    let bytes = 0
    for await (const chunk of audio) {
      bytes += chunk.length
      yield { partial: `${bytes} bytes`, final: null }
    }
    yield { partial: null, final: await listen(bytes, options.signal) }
  }

  protected bytesOf(sessionId: string): number {
    const bytes = this.sessions.get(sessionId)
    if (bytes !== undefined) return bytes
    throw new PluginError('INVALID_PARAMS', `There is no session ${sessionId}`)
  }
}

async function listen(bytes: number, signal: AbortSignal | undefined): Promise<string> {
  await delay(bytes > 100_000 ? 60 : 1, undefined, signal ? { signal } : {})
  return `${bytes} bytes`
}

function lastText(messages: readonly ChatMessage[]): string {
  const last = messages.at(-1)
  return last ? textOf(last) : ''
}

/** Says what it was told, word by word. */
export class GoodLlm extends LLMContract {
  initialize(): void {}
  shutdown(): void {}
  healthCheck(): HealthStatus {
    return { status: this.status }
  }
  async complete(prompt: string, options: GenerationOptions = {}): Promise<string> {
    return echo(prompt, options)
  }
  async chat(messages: ChatMessage[], options: GenerationOptions = {}): Promise<ChatMessage> {
    return { role: 'assistant', content: await echo(lastText(messages), options) }
  }
  async getModels() {
    return [{ id: 'echo' }]
  }
  override async *streamComplete(prompt: string, options: GenerationOptions = {}) {
    const text = await echo(prompt, options)
    yield* text.split(/(?<= )/)
  }
  override async *streamChat(messages: ChatMessage[], options: GenerationOptions = {}) {
    const text = await echo(lastText(messages), options)
    yield* text.split(/(?<= )/)
  }
}

async function echo(text: string, { signal, maxTokens = 1024 }: GenerationOptions): Promise<string> {
  await delay(maxTokens > 100 ? 60 : 1, undefined, signal ? { signal } : {})
  return text
}

/** A vector of how often each of some letters is there. */
export class GoodEmbedder extends EmbeddingContract {
  initialize(): void {}
  shutdown(): void {}
  healthCheck(): HealthStatus {
    return { status: this.status }
  }
  async embed(texts: string[], { dimensions = 26, signal }: EmbeddingOptions = {}): Promise<Float32Array[]> {
    await delay(texts.length > 50 ? 60 : 1, undefined, signal ? { signal } : {})
    return texts.map((text) =>
      Float32Array.from({ length: dimensions }, (_, place) => lettersIn(text, place)),
    )
  }
  async getModels() {
    return [{ id: 'letters', dimensions: 26 }]
  }
}

function lettersIn(text: string, place: number): number {
  return text.split(String.fromCharCode(97 + place)).length - 1
}

const change = z.object({ change: z.string() })

/** A contract that nobody foresaw. The schema of the whole allows more than that of a piece. */
export const OwnContract = defineContract({
  name: 'counting',
  version: '1.0.0',
  methods: {
    count: {
      args: z.strictObject({ text: z.string(), times: z.int().min(1).default(1) }),
      result: z.strictObject({ characters: z.number() }),
    },
    watch: {
      kind: 'stream',
      args: z.strictObject({ path: z.string() }),
      piece: change,
      result: z.array(z.looseObject({})),
    },
  },
})

export class GoodOwn extends OwnContract implements ImplementationOf<typeof OwnContract.definition.methods> {
  initialize(): void {}
  shutdown(): void {}
  healthCheck(): HealthStatus {
    return { status: this.status }
  }
  async count({ text, times }: { text: string; times: number }, _context: CallContext) {
    return { characters: text.length * times }
  }
  async *watch({ path }: { path: string }, { signal }: CallContext): AsyncGenerator<{ change: string }> {
    for (const letter of path) {
      signal.throwIfAborted()
      yield { change: letter }
    }
  }
}
