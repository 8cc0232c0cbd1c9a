import type { LanguageModelV3CallOptions, LanguageModelV4CallOptions } from '@ai-sdk/provider'
import type { PluginHandle, PluginSystem } from '@appfactory/host'
import {
  type AnswerExtras,
  type ChatMessage,
  type ChatResult,
  type GenerationOptions,
  LLMContract,
  type TextChunk,
  type Tool,
  type ToolCall,
  textOf,
} from '@appfactory/sdk'
import { contextLength } from './context-length.js'
import { type Call, toAiError } from './errors.js'
import { GivenOptions } from './given-options.js'
import { metadataOf, toJson } from './json.js'
import { toChatMessages } from './messages.js'
import { type ModelId, parseModelId } from './model-id.js'
import type {
  Answer,
  BlockKind,
  FinishReason,
  StreamPart,
  TokenUsage,
  ToolCallPart,
  Unified,
  Warning,
} from './parts.js'
import { afterFirst, streamOfPieces } from './piece-stream.js'

// What follows is written once for both versions of the specification: it uses what they have in common.
type CallOptions = LanguageModelV3CallOptions | LanguageModelV4CallOptions

/** A language model of either version of the specification. */
export function languageModel<Version extends 'v3' | 'v4'>(version: Version, host: PluginSystem, id: string) {
  const modelId = parseModelId(id)
  return {
    specificationVersion: version,
    provider: 'appfactory.chat',
    modelId: id,
    // No plugin fetches URLs: the AI SDK downloads what they name.
    supportedUrls: {},
    doGenerate: (options: CallOptions) => generate(host, modelId, options),
    doStream: (options: CallOptions) => stream(host, modelId, options),
  }
}

async function generate(host: PluginSystem, modelId: ModelId, options: CallOptions): Promise<Answer> {
  const call = callOf(modelId, 'chat', options)
  try {
    const { llm, messages, settings, warnings } = await prepare(host, modelId, options)
    const result = await llm.chat(messages, settings)
    return {
      ...answerOf(result),
      response: responseOf(modelId, result),
      warnings: [...warnings, ...told(result)],
    }
  } catch (error) {
    throw toAiError(error, call)
  }
}

function answerOf(result: ChatResult): Omit<Answer, 'response' | 'warnings'> {
  const { message, finishReason, metadata } = result
  const { toolCalls = [] } = message
  const [text, reasoning] = [textOf(message), reasoningOf(message) ?? reasoningOf(result)]
  return {
    content: [
      ...(reasoning ? [{ type: 'reasoning' as const, text: reasoning }] : []),
      ...(text === '' ? [] : [{ type: 'text' as const, text }]),
      ...toolCalls.map(toToolCallPart),
    ],
    finishReason: toFinishReason(finishReason, toolCalls.length > 0),
    usage: usageOf(result),
    ...metadataOf({ ...metadata }),
  }
}

async function stream(host: PluginSystem, modelId: ModelId, options: CallOptions) {
  const call = callOf(modelId, 'stream_chat', options)
  try {
    const { llm, messages, settings, warnings } = await prepare(host, modelId, options)
    const chunks = llm.streamChat(messages, settings)[Symbol.asyncIterator]()
    return { stream: partsOf(await afterFirst(chunks), modelId, warnings, call) }
  } catch (error) {
    throw toAiError(error, call)
  }
}

function partsOf(
  pieces: AsyncIterator<TextChunk>,
  modelId: ModelId,
  warnings: Warning[],
  call: Call,
): ReadableStream<StreamPart> {
  const parts = new StreamParts()
  return streamOfPieces<TextChunk, StreamPart>({
    pieces,
    begin: [
      { type: 'stream-start', warnings },
      { type: 'response-metadata', ...responseOf(modelId, {}) },
    ],
    map: (chunk) => parts.add(chunk),
    end: () => parts.end(),
    fail: (error) => parts.fail(toAiError(error, call)),
  })
}

/** Makes the parts of a stream: which block is open, and what the last pieces have said. */
class StreamParts {
  #open: BlockKind | undefined
  #blocks = 0
  #asksTools = false
  #last: Partial<TextChunk> = {}
  readonly #told: string[] = []

  add(chunk: TextChunk): StreamPart[] {
    // Most pieces are nothing but more of the text.
    if (this.#open === 'text' && Object.keys(chunk).length === 1)
      return chunk.text === '' ? [] : [{ type: 'text-delta', id: this.#id, delta: chunk.text }]
    this.#last = { ...this.#last, ...chunk }
    this.#told.push(...(chunk.warnings ?? []))
    const reasoning = reasoningOf(chunk)
    return [
      ...(reasoning ? this.#delta('reasoning', reasoning) : []),
      ...(chunk.text === '' ? [] : this.#delta('text', chunk.text)),
      ...this.#toolCalls(chunk.toolCalls ?? []),
    ]
  }

  end(): StreamPart[] {
    const { finishReason = 'stop', metadata } = this.#last
    // The AI SDK takes warnings only before the first piece; a plugin may have them at the end.
    const late = this.#told.length > 0 ? { warnings: this.#told } : {}
    return [
      ...this.#close(),
      {
        type: 'finish',
        finishReason: toFinishReason(finishReason, this.#asksTools),
        usage: usageOf(this.#last),
        ...metadataOf({ ...metadata, ...late }),
      },
    ]
  }

  fail(error: unknown): StreamPart[] {
    const finishReason: FinishReason = { unified: 'error', raw: undefined }
    return [
      ...this.#close(),
      { type: 'error', error },
      { type: 'finish', finishReason, usage: usageOf(this.#last) },
    ]
  }

  get #id(): string {
    return String(this.#blocks)
  }

  #delta(kind: BlockKind, delta: string): StreamPart[] {
    const started = this.#open === kind ? [] : this.#start(kind)
    return [...started, { type: `${kind}-delta`, id: this.#id, delta }]
  }

  #start(kind: BlockKind): StreamPart[] {
    const closed = this.#close()
    this.#open = kind
    this.#blocks += 1
    return [...closed, { type: `${kind}-start`, id: this.#id }]
  }

  #close(): StreamPart[] {
    const kind = this.#open
    this.#open = undefined
    return kind ? [{ type: `${kind}-end`, id: this.#id }] : []
  }

  #toolCalls(calls: readonly ToolCall[]): StreamPart[] {
    if (calls.length === 0) return []
    this.#asksTools = true
    return [...this.#close(), ...calls.flatMap(toolCallParts)]
  }
}

/** A plugin gives the arguments of a call whole. */
function toolCallParts(call: ToolCall): StreamPart[] {
  const part = toToolCallPart(call)
  const { toolCallId: id, toolName, input } = part
  return [
    { type: 'tool-input-start', id, toolName },
    { type: 'tool-input-delta', id, delta: input },
    { type: 'tool-input-end', id },
    part,
  ]
}

function toToolCallPart({ id, name, arguments: input }: ToolCall): ToolCallPart {
  return { type: 'tool-call', toolCallId: id, toolName: name, input: JSON.stringify(input) }
}

function reasoningOf({ reasoning }: Record<string, unknown>): string | undefined {
  return typeof reasoning === 'string' ? reasoning : undefined
}

const unifiedReasons: Readonly<Record<string, Unified>> = {
  stop: 'stop',
  length: 'length',
  tool_calls: 'tool-calls',
  content_filter: 'content-filter',
}

/** Whoever asks for tools is not done, whatever the plugin calls it. */
function toFinishReason(raw: string, asksTools: boolean): FinishReason {
  return { unified: asksTools ? 'tool-calls' : (unifiedReasons[raw] ?? 'other'), raw }
}

function usageOf({ usage }: Pick<Partial<AnswerExtras>, 'usage'>): TokenUsage {
  return {
    inputTokens: {
      total: usage?.promptTokens,
      noCache: undefined,
      cacheRead: undefined,
      cacheWrite: undefined,
    },
    outputTokens: { total: usage?.completionTokens, text: undefined, reasoning: undefined },
    ...(usage ? { raw: toJson(usage) } : {}),
  }
}

function responseOf({ id }: ModelId, { model }: { model?: string | undefined }) {
  return { modelId: model ?? id, timestamp: new Date() }
}

function told({ warnings = [] }: { warnings?: readonly string[] | undefined }): Warning[] {
  return warnings.map((message) => ({ type: 'other', message }))
}

function callOf({ id, plugin }: ModelId, method: string, { abortSignal }: CallOptions): Call {
  return { modelId: id, modelType: 'languageModel', plugin, method, signal: abortSignal }
}

interface Prepared {
  llm: PluginHandle<LLMContract>
  messages: ChatMessage[]
  settings: GenerationOptions
  warnings: Warning[]
}

async function prepare(host: PluginSystem, modelId: ModelId, options: CallOptions): Promise<Prepared> {
  options.abortSignal?.throwIfAborted()
  const messages = toChatMessages(options.prompt)
  const llm = await host.get(LLMContract, modelId.plugin)
  const given = new GivenOptions(options.providerOptions)
  // The contract's default would cut an answer at 1,024 tokens without anybody having asked for it.
  const maxTokens = options.maxOutputTokens ?? (await contextLength(host, llm, modelId.model))
  const tools = toTools(options.tools)
  const settings: GenerationOptions = {
    ...given.callOptions(options.abortSignal),
    ...{ model: modelId.model, maxTokens, temperature: options.temperature, topP: options.topP },
    ...{ stopSequences: options.stopSequences, seed: options.seed },
    ...{ responseFormat: toResponseFormat(options.responseFormat), tools },
    // The AI SDK says `auto` where there is nothing to choose from.
    ...(tools ? { toolChoice: toToolChoice(options.toolChoice) } : {}),
    ...given.rest(),
  }
  return { llm, messages, settings, warnings: warningsFor(options) }
}

function toResponseFormat(format: CallOptions['responseFormat']): GenerationOptions['responseFormat'] {
  if (format === undefined || format.type === 'text') return undefined
  return format.schema ? { type: 'json_schema', schema: { ...format.schema } } : { type: 'json' }
}

function toTools(tools: CallOptions['tools']): Tool[] | undefined {
  const functions = tools?.flatMap((tool) =>
    tool.type === 'function'
      ? [{ name: tool.name, description: tool.description, parameters: { ...tool.inputSchema } }]
      : [],
  )
  return functions && functions.length > 0 ? functions : undefined
}

function toToolChoice(choice: CallOptions['toolChoice']): GenerationOptions['toolChoice'] {
  return choice?.type === 'tool' ? { name: choice.toolName } : choice?.type
}

const withoutName = ['topK', 'presencePenalty', 'frequencyPenalty'] as const

/** What the contract has no name for is said, not refused. */
function warningsFor(options: CallOptions): Warning[] {
  const features: string[] = withoutName.filter((name) => options[name] !== undefined)
  if ('reasoning' in options && options.reasoning !== undefined && options.reasoning !== 'provider-default')
    features.push('reasoning')
  for (const tool of options.tools ?? []) if (tool.type === 'provider') features.push(`tool ${tool.id}`)
  return features.map((feature) => ({ type: 'unsupported', feature }))
}
