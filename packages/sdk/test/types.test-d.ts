// Checked by tsc alone: `tsc -p packages/sdk/test`.
import {
  type AudioChunk,
  type Awaitable,
  type CallOptions,
  type ChatMessage,
  type ChatResult,
  type ClientOf,
  type CompletionResult,
  type ContentPart,
  type DefinedClient,
  defineContract,
  EmbeddingContract,
  type EmbeddingModel,
  type EmbeddingOptions,
  type EmbeddingResult,
  ErrorCodes,
  type GenerationOptions,
  type HealthStatus,
  type ImplementationOf,
  isPluginError,
  type Language,
  LLMContract,
  type Model,
  PluginError,
  PluginStatus,
  STTContract,
  type StreamOptions,
  type SynthesisOptions,
  type SynthesisResult,
  type TextChunk,
  type ToolCall,
  type TranscriptionOptions,
  type TranscriptionResult,
  type TranscriptUpdate,
  TTSContract,
  textOf,
  type Voice,
  type WordTiming,
} from '@appfactory/sdk'
import type {
  embeddingDefinition,
  llmDefinition,
  sttDefinition,
  ttsDefinition,
} from '@appfactory/sdk/contracts'
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import type { wordTiming } from '../src/contracts/common.table.js'
import type { embeddingModel } from '../src/contracts/embedding.table.js'
import type { chatMessage, contentPart, model, textChunk, toolCall } from '../src/contracts/llm.table.js'
import type { transcriptUpdate } from '../src/contracts/stt.table.js'
import type { audioChunk, voice } from '../src/contracts/tts.table.js'

/** The guide's own form of a plugin, in TypeScript. */
export class GuideTts extends TTSContract<{ voice?: string }> {
  #voice = 'default'

  async initialize(config: { voice?: string }): Promise<boolean> {
    this.#voice = config.voice ?? 'default'
    return true
  }

  async shutdown(): Promise<boolean> {
    return true
  }

  healthCheck(): HealthStatus {
    return { status: PluginStatus.READY, message: 'Plugin operational', details: { voice: this.#voice } }
  }

  async synthesize(_text: string, _voiceId?: string): Promise<Uint8Array> {
    return new Uint8Array()
  }

  async getVoices(): Promise<{ id: string; name: string; language: string }[]> {
    return [{ id: 'default', name: 'Default Voice', language: 'en-US' }]
  }

  override captureState(): unknown {
    return { voice: this.#voice }
  }
}

export class GuideStt extends STTContract {
  initialize(): void {}
  shutdown(): void {}
  healthCheck(): HealthStatus {
    return { status: this.status }
  }
  async transcribe(_audio: Uint8Array, _language?: string): Promise<string> {
    return ''
  }
  async getLanguages(): Promise<Language[]> {
    return []
  }
  override async startStream(): Promise<string> {
    return 'session'
  }
  override async feedAudio(_sessionId: string, _chunk: Uint8Array): Promise<TranscriptUpdate | null> {
    return null
  }
  override async endStream(_sessionId: string): Promise<string> {
    return ''
  }
}

export class GuideLlm extends LLMContract {
  initialize(): void {}
  shutdown(): void {}
  healthCheck(): HealthStatus {
    return { status: this.status }
  }
  async complete(_prompt: string): Promise<string> {
    return ''
  }
  async chat(_messages: ChatMessage[]): Promise<ChatMessage> {
    return { role: 'assistant', content: '' }
  }
  async getModels(): Promise<Model[]> {
    return [{ id: 'tiny' }]
  }
  override async *streamComplete(_prompt: string): AsyncGenerator<string, void, undefined> {
    yield ''
  }
}

export class SmallEmbedder extends EmbeddingContract {
  initialize(): void {}
  shutdown(): void {}
  healthCheck(): HealthStatus {
    return { status: this.status }
  }
  async embed(texts: string[]): Promise<Float32Array[]> {
    return texts.map(() => new Float32Array(3))
  }
  getModels(): EmbeddingModel[] {
    return [{ id: 'small', dimensions: 3 }]
  }
}

// @ts-expect-error A class without `getVoices` is no TTS plugin.
export class Incomplete extends TTSContract {
  initialize(): void {}
  shutdown(): void {}
  healthCheck(): HealthStatus {
    return { status: this.status }
  }
  synthesize(): Uint8Array {
    return new Uint8Array()
  }
}

expectTypeOf<TTSContract['synthesize']>().parameters.toEqualTypeOf<
  [text: string, voiceId?: string | undefined, options?: SynthesisOptions | undefined]
>()
expectTypeOf<TTSContract['synthesize']>().returns.toEqualTypeOf<Awaitable<Uint8Array | SynthesisResult>>()
expectTypeOf<TTSContract['status']>().toEqualTypeOf<PluginStatus>()
expectTypeOf<Parameters<GuideTts['initialize']>[0]>().toEqualTypeOf<{ voice?: string }>()

// ── The types that people read are those of the schemas ──────────────────────────────────────────────────────────────

type Arguments<Method extends { args: z.ZodType }> = z.input<Method['args']>
type Tts = typeof ttsDefinition.methods
type Stt = typeof sttDefinition.methods
type Llm = typeof llmDefinition.methods
type Embedder = typeof embeddingDefinition.methods

/** Whether each of two types can stand for the other, and both name the same members. */
type IsSame<One, Other> = Covers<One, Other> extends true ? Covers<Other, One> : false
type Covers<One, Other> = [One, keyof Named<One>] extends [Other, keyof Named<Other>] ? true : false
type Named<Type> = { [Key in keyof Type as string extends Key ? never : Key]: Type[Key] }

expectTypeOf<IsSame<WordTiming, z.output<typeof wordTiming>>>().toEqualTypeOf<true>()
expectTypeOf<IsSame<Voice, z.output<typeof voice>>>().toEqualTypeOf<true>()
expectTypeOf<IsSame<SynthesisResult, z.output<Tts['synthesize']['result']>>>().toEqualTypeOf<true>()
expectTypeOf<IsSame<AudioChunk, z.output<typeof audioChunk>>>().toEqualTypeOf<true>()
expectTypeOf<
  IsSame<SynthesisOptions, Omit<Arguments<Tts['synthesize']>, 'text' | 'voiceId'> & CallOptions>
>().toEqualTypeOf<true>()
expectTypeOf<IsSame<TranscriptionResult, z.output<Stt['transcribe']['result']>>>().toEqualTypeOf<true>()
expectTypeOf<IsSame<TranscriptUpdate, z.output<typeof transcriptUpdate>>>().toEqualTypeOf<true>()
expectTypeOf<IsSame<Language[], z.output<Stt['getLanguages']['result']>>>().toEqualTypeOf<true>()
expectTypeOf<
  IsSame<TranscriptionOptions, Omit<Arguments<Stt['transcribe']>, 'audio' | 'language'> & CallOptions>
>().toEqualTypeOf<true>()
expectTypeOf<IsSame<StreamOptions, Arguments<Stt['startStream']> & CallOptions>>().toEqualTypeOf<true>()
expectTypeOf<IsSame<ToolCall, z.output<typeof toolCall>>>().toEqualTypeOf<true>()
expectTypeOf<IsSame<ContentPart, z.output<typeof contentPart>>>().toEqualTypeOf<true>()
expectTypeOf<IsSame<ChatMessage, z.output<typeof chatMessage>>>().toEqualTypeOf<true>()
expectTypeOf<IsSame<CompletionResult, z.output<Llm['complete']['result']>>>().toEqualTypeOf<true>()
expectTypeOf<IsSame<ChatResult, z.output<Llm['chat']['result']>>>().toEqualTypeOf<true>()
expectTypeOf<IsSame<TextChunk, z.output<typeof textChunk>>>().toEqualTypeOf<true>()
expectTypeOf<IsSame<Model, z.output<typeof model>>>().toEqualTypeOf<true>()
expectTypeOf<
  IsSame<GenerationOptions, Omit<Arguments<Llm['complete']>, 'prompt'> & CallOptions>
>().toEqualTypeOf<true>()
expectTypeOf<IsSame<EmbeddingResult, z.output<Embedder['embed']['result']>>>().toEqualTypeOf<true>()
expectTypeOf<IsSame<EmbeddingModel, z.output<typeof embeddingModel>>>().toEqualTypeOf<true>()
expectTypeOf<
  IsSame<EmbeddingOptions, Omit<Arguments<Embedder['embed']>, 'texts'> & CallOptions>
>().toEqualTypeOf<true>()
expectTypeOf<IsSame<{ a?: number }, { a?: number; b?: number }>>().toEqualTypeOf<false>()
expectTypeOf<IsSame<{ a: number }, { a: number | string }>>().toEqualTypeOf<false>()

// ── What an application gets: always complete ──────────────────────────────────────────────────────────────────────

type Speech = ClientOf<TTSContract>
expectTypeOf<Speech['synthesize']>().returns.toEqualTypeOf<Promise<SynthesisResult>>()
expectTypeOf<Speech['getVoices']>().returns.toEqualTypeOf<Promise<Voice[]>>()
expectTypeOf<Speech['getVoiceInfo']>().returns.toEqualTypeOf<Promise<Voice>>()
expectTypeOf<ClientOf<GuideTts>>().toEqualTypeOf<Speech>()
expectTypeOf<SynthesisResult['audio']>().toEqualTypeOf<Uint8Array>()
expectTypeOf<SynthesisResult['format']>().toEqualTypeOf<string>()
expectTypeOf<SynthesisResult['sampleRate']>().toEqualTypeOf<number>()
expectTypeOf<SynthesisResult['channels']>().toEqualTypeOf<number>()

type Hearing = ClientOf<STTContract>
expectTypeOf<Hearing['transcribe']>().returns.toEqualTypeOf<Promise<TranscriptionResult>>()
expectTypeOf<Hearing['startStream']>().returns.toEqualTypeOf<Promise<string>>()
expectTypeOf<Hearing['feedAudio']>().returns.toEqualTypeOf<Promise<TranscriptUpdate>>()
expectTypeOf<TranscriptionResult['text']>().toEqualTypeOf<string>()

type Thought = ClientOf<LLMContract>
expectTypeOf<Thought['complete']>().returns.toEqualTypeOf<Promise<CompletionResult>>()
expectTypeOf<Thought['chat']>().returns.toEqualTypeOf<Promise<ChatResult>>()
expectTypeOf<Thought['streamChat']>().returns.toEqualTypeOf<AsyncIterable<TextChunk>>()
expectTypeOf<ChatResult['message']>().toEqualTypeOf<ChatMessage>()
expectTypeOf<CompletionResult['finishReason']>().toEqualTypeOf<string>()

type Embedded = ClientOf<SmallEmbedder>
expectTypeOf<Embedded>().toEqualTypeOf<ClientOf<EmbeddingContract>>()
expectTypeOf<Embedded['embed']>().returns.toEqualTypeOf<Promise<EmbeddingResult>>()
expectTypeOf<EmbeddingResult['embeddings']>().toEqualTypeOf<number[][]>()

// A loose object lets more through; what is named must still be no `any`.
expectTypeOf<SynthesisResult['words']>().not.toBeAny()
expectTypeOf<SynthesisResult['metadata']>().not.toBeAny()
expectTypeOf<SynthesisResult['unknown']>().toBeUnknown()
expectTypeOf<Parameters<Speech['synthesize']>[2]>().not.toBeAny()
expectTypeOf<Parameters<Thought['complete']>[1]>().not.toBeAny()
expectTypeOf<Voice>().not.toBeAny()
expectTypeOf<ClientOf<unknown>>().toBeUnknown()

// ── Contracts of one's own ─────────────────────────────────────────────────────────────────────────────────────────

const Embedding = defineContract({
  name: 'measuring',
  version: '1.0.0',
  methods: {
    embed: {
      args: z.object({ texts: z.array(z.string()), norm: z.number().default(1) }),
      result: z.object({ vectors: z.array(z.array(z.number())) }),
    },
    watch: {
      kind: 'stream',
      args: z.object({ path: z.string() }),
      piece: z.object({ change: z.string() }),
      result: z.array(z.object({ change: z.string() })),
    },
  },
})
type Methods = typeof Embedding.definition.methods
type EmbeddingClient = DefinedClient<Methods>

expectTypeOf<EmbeddingClient['embed']>().returns.toEqualTypeOf<Promise<{ vectors: number[][] }>>()
expectTypeOf<Parameters<EmbeddingClient['embed']>[0]>().toEqualTypeOf<{
  texts: string[]
  norm?: number | undefined
}>()
expectTypeOf<EmbeddingClient['watch']>().returns.toEqualTypeOf<AsyncIterable<{ change: string }>>()
expectTypeOf<ClientOf<InstanceType<typeof Embedding>>>().toEqualTypeOf<EmbeddingClient>()

export class MyEmbedding extends Embedding implements ImplementationOf<Methods> {
  initialize(): void {}
  shutdown(): void {}
  healthCheck(): HealthStatus {
    return { status: this.status }
  }
  embed({ texts, norm }: { texts: string[]; norm: number }) {
    return { vectors: texts.map(() => [norm]) }
  }
  async *watch({ path }: { path: string }) {
    yield { change: path }
  }
}
expectTypeOf<ClientOf<MyEmbedding>>().toEqualTypeOf<EmbeddingClient>()
expectTypeOf<Parameters<ImplementationOf<Methods>['embed']>[0]>().toEqualTypeOf<{
  texts: string[]
  norm: number
}>()

// What arrives is what the schema makes; what is given is what it takes.
const Changing = defineContract({
  name: 'changing',
  version: '1.0.0',
  methods: {
    run: {
      args: z.object({
        at: z.coerce.date(),
        n: z.number().default(1),
        file: z.instanceof(Uint8Array).optional(),
      }),
      result: z.object({ n: z.number().default(1), length: z.string().transform((text) => text.length) }),
    },
    watch: {
      kind: 'stream',
      args: z.object({}),
      piece: z.object({ length: z.string().transform((text) => text.length) }),
      result: z.array(z.object({ length: z.number() })),
    },
  },
})
type ChangingMethods = typeof Changing.definition.methods
type ChangingClient = ClientOf<InstanceType<typeof Changing>>
type ChangingPlugin = ImplementationOf<ChangingMethods>

expectTypeOf<ChangingClient['run']>().returns.toEqualTypeOf<Promise<{ n: number; length: number }>>()
expectTypeOf<Parameters<ChangingClient['run']>[0]['at']>().toBeUnknown()
expectTypeOf<Parameters<ChangingClient['run']>[0]['n']>().toEqualTypeOf<number | undefined>()
expectTypeOf<ChangingClient['watch']>().returns.toEqualTypeOf<AsyncIterable<{ length: number }>>()
expectTypeOf<Parameters<ChangingPlugin['run']>[0]['at']>().toEqualTypeOf<Date>()
expectTypeOf<Parameters<ChangingPlugin['run']>[0]['n']>().toEqualTypeOf<number>()
expectTypeOf<ChangingPlugin['run']>().returns.toEqualTypeOf<
  Awaitable<{ n?: number | undefined; length: string }>
>()
expectTypeOf<ChangingPlugin['watch']>().returns.toEqualTypeOf<AsyncIterable<{ length: string }>>()

expectTypeOf<ChatMessage['content']>().toEqualTypeOf<string | null | ContentPart[]>()
expectTypeOf<Extract<ContentPart, { type: 'image' }>['image']>().toEqualTypeOf<Uint8Array>()
expectTypeOf(textOf).returns.toBeString()

// ── Errors ─────────────────────────────────────────────────────────────────────────────────────────────────────────

expectTypeOf(ErrorCodes.TTS_TEXT_TOO_LONG).toEqualTypeOf<1002>()
expectTypeOf(new PluginError('TTS_TEXT_TOO_LONG').data).toBeUnknown()
// @ts-expect-error Not a name of the table.
new PluginError('TTS_TEXT_TO_LONG')

// An error of one code has that code's data, of which each member may be missing.
export function narrows(error: unknown): void {
  if (isPluginError(error, 'CALL_TIMEOUT')) {
    expectTypeOf(error.data?.timeout_ms).toEqualTypeOf<number | undefined>()
    expectTypeOf(error.codeName).toEqualTypeOf<'CALL_TIMEOUT'>()
  } else if (isPluginError(error, 'PLUGIN_CRASHED')) {
    expectTypeOf(error.data?.stderr).toEqualTypeOf<string | undefined>()
    // @ts-expect-error Of another code.
    error.data?.timeout_ms
  } else if (isPluginError(error)) expectTypeOf(error.data).toBeUnknown()
  // @ts-expect-error No such code.
  isPluginError(error, 'NOTHING')
}
