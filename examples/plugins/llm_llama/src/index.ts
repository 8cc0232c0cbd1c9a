import { randomUUID } from 'node:crypto'
import { access } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type ChatMessage,
  type ChatResult,
  type CompletionResult,
  type GenerationOptions,
  type HealthStatus,
  isPluginError,
  LLMContract,
  type Model,
  PluginError,
  type TextChunk,
} from '@appfactory/sdk'
import { type LlamaGrammar, readGgufFileInfo } from 'node-llama-cpp'
import { Engine } from './engine.js'
import { type Dialogue, plainDialogue, templateDialogue } from './prompt.js'
import { anyObject, type GrammarSchema, grammarSchema, type SchemaBounds } from './schema.js'
import { cannot } from './schema-rules.js'
import { functionsOf, refuseUnknownTools } from './tools.js'
import type { Outcome, Prompt, Sampling, Writing } from './writing.js'

/** As `config_schema` in manifest.json says. */
export interface LlamaConfig {
  model_path?: string
  prompt_format?: 'plain' | 'template'
  context_size?: number
  parallel?: number
  threads?: number
}

const pluginFolder = fileURLToPath(new URL('..', import.meta.url))

/** Language models with llama.cpp. */
export default class LlamaPlugin extends LLMContract<LlamaConfig> {
  #config = { prompt_format: 'plain', parallel: 2, threads: 1 }
  #contextSize: number | undefined
  #modelPath = resolve(pluginFolder, 'models/tiny.gguf')
  #engine: Promise<Engine> | undefined

  async initialize({ model_path, context_size, ...config }: LlamaConfig): Promise<void> {
    this.#config = { ...this.#config, ...config }
    this.#contextSize = context_size
    if (model_path !== undefined) this.#modelPath = resolve(pluginFolder, model_path)
    // A wrong path is told now; the model itself is loaded when somebody asks it something.
    await checkExists(this.#modelPath)
  }

  async shutdown(): Promise<void> {
    const engine = this.#engine
    this.#engine = undefined
    // One that failed to load has nothing to release.
    await engine?.then(
      (loaded) => loaded.dispose(),
      () => undefined,
    )
  }

  healthCheck(): HealthStatus {
    return {
      status: this.status,
      details: {
        model: this.#modelId,
        model_path: this.#modelPath,
        model_loaded: this.#engine !== undefined,
      },
    }
  }

  /** Reads the head of the file only, so that asking for the list does not load the model. */
  async getModels(): Promise<Model[]> {
    await checkExists(this.#modelPath)
    const { metadata, architectureMetadata } = await this.#explained(() => readGgufFileInfo(this.#modelPath))
    const contextLength = this.#contextSize ?? architectureMetadata.context_length
    return [
      {
        id: this.#modelId,
        name: metadata.general.name ?? this.#modelId,
        ...(contextLength === undefined ? {} : { contextLength }),
      },
    ]
  }

  async complete(prompt: string, options: GenerationOptions = {}): Promise<CompletionResult> {
    return gather(this.streamComplete(prompt, options))
  }

  async chat(messages: ChatMessage[], options: GenerationOptions = {}): Promise<ChatResult> {
    const { text, toolCalls, ...rest } = await gather(this.streamChat(messages, options))
    const content = text.trimEnd()
    const message: ChatMessage = { role: 'assistant', content: content === '' && toolCalls ? null : content }
    return { ...rest, message: toolCalls ? { ...message, toolCalls } : message }
  }

  override async *streamComplete(
    prompt: string,
    options: GenerationOptions = {},
  ): AsyncGenerator<TextChunk, void, undefined> {
    this.#checkModel(options.model)
    const engine = await this.#ensureEngine()
    const grammar = await this.#grammarFor(engine, options)
    const writing = engine.write({ text: prompt, stops: [], grammar }, samplingOf(options), options.signal)
    yield* this.#told(writing, [])
  }

  override async *streamChat(
    messages: ChatMessage[],
    options: GenerationOptions = {},
  ): AsyncGenerator<TextChunk, void, undefined> {
    this.#checkModel(options.model)
    const functions = functionsOf(options, this.#bounds)
    if (functions && !functions.isForced && this.#isPlain) refuseUnknownTools()
    const engine = await this.#ensureEngine()
    const dialogue = this.#isPlain
      ? plainDialogue(messages, functions !== undefined)
      : templateDialogue(messages, engine.chatWrapper)
    const sampling = samplingOf(options)
    for (const [name, { params }] of Object.entries(functions?.functions ?? {}))
      if (params) await grammarOf(engine, params, `tools (${name})`)
    const writing = functions
      ? engine.answer(dialogue, functions, sampling, options.signal)
      : engine.write(promptOf(dialogue, await this.#grammarFor(engine, options)), sampling, options.signal)
    let begun = false
    for await (const chunk of this.#told(writing, dialogue.warnings)) {
      // The blank between "Bot:" and the answer is none of the answer's.
      const text: string = begun ? chunk.text : chunk.text.trimStart()
      begun ||= text !== ''
      if (text !== '' || chunk.finishReason || chunk.reasoning) yield { ...chunk, text }
    }
  }

  get #modelId(): string {
    return basename(this.#modelPath, '.gguf')
  }

  get #isPlain(): boolean {
    return this.#config.prompt_format === 'plain'
  }

  /** tiny.gguf, which the plain format is for, begins strings and never ends one. */
  get #bounds(): SchemaBounds {
    return { longestString: this.#isPlain ? 40 : undefined }
  }

  async #grammarFor(
    engine: Engine,
    { responseFormat }: GenerationOptions,
  ): Promise<LlamaGrammar | undefined> {
    if (responseFormat === undefined || responseFormat.type === 'text') return undefined
    const path = 'response_format.schema'
    const given = responseFormat.type === 'json_schema' ? responseFormat.schema : undefined
    const schema = given ? grammarSchema(given, path, this.#bounds) : anyObject
    return grammarOf(engine, schema, path)
  }

  async *#told(writing: Writing, warnings: readonly string[]): AsyncGenerator<TextChunk, void, undefined> {
    for await (const piece of writing) {
      if ('text' in piece) yield piece
      else yield this.#lastChunk(piece, warnings)
    }
  }

  /** No text, but all that is known at the end. */
  #lastChunk(
    { finishReason, promptTokens, completionTokens, calls, warnings: own }: Outcome,
    given: readonly string[],
  ): TextChunk {
    const warnings = [...given, ...own]
    const toolCalls = calls.map(({ name, params }) => ({
      id: `call_${randomUUID()}`,
      name,
      arguments: { ...Object(params) },
    }))
    const totalTokens = promptTokens + completionTokens
    return {
      text: '',
      finishReason,
      model: this.#modelId,
      tokensUsed: totalTokens,
      usage: { promptTokens, completionTokens, totalTokens },
      ...(toolCalls.length > 0 ? { toolCalls } : {}),
      ...(warnings.length > 0 ? { warnings } : {}),
    }
  }

  /** Loads the model once, however many calls come at the same time. */
  #ensureEngine(): Promise<Engine> {
    this.#engine ??= this.#load().catch((error: unknown) => {
      // The next call may try again: somebody may have mended the file.
      this.#engine = undefined
      throw error
    })
    return this.#engine
  }

  async #load(): Promise<Engine> {
    await checkExists(this.#modelPath)
    const { parallel, threads } = this.#config
    const settings = { modelPath: this.#modelPath, contextSize: this.#contextSize, parallel, threads }
    return this.#explained(() => Engine.load(settings))
  }

  #checkModel(model: string = this.#modelId): void {
    if (model === this.#modelId) return
    throw new PluginError(
      'LLM_MODEL_NOT_AVAILABLE',
      `There is no model "${model}"; there is ${this.#modelId} (see model_path in the configuration)`,
      { models: [this.#modelId] },
    )
  }

  async #explained<Result>(action: () => Promise<Result>): Promise<Result> {
    try {
      return await action()
    } catch (cause) {
      if (isPluginError(cause)) throw cause
      const reason = cause instanceof Error ? cause.message : String(cause)
      const message = `The model ${this.#modelPath} can't be loaded: ${reason}`
      throw new PluginError('LLM_MODEL_NOT_AVAILABLE', message, undefined, { cause })
    }
  }
}

async function checkExists(modelPath: string): Promise<void> {
  try {
    await access(modelPath)
  } catch (cause) {
    const message = `There is no model file ${modelPath}; correct model_path in the configuration`
    throw new PluginError('MODEL_NOT_FOUND', message, { model_path: modelPath }, { cause })
  }
}

function grammarOf(engine: Engine, schema: GrammarSchema, path: string): Promise<LlamaGrammar> {
  return engine.grammarFor(schema).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error)
    throw cannot(path, `can’t be made a grammar (${reason})`)
  })
}

function samplingOf({
  maxTokens = 1024,
  temperature = 0.7,
  topP,
  seed,
  stopSequences = [],
}: GenerationOptions): Sampling {
  // An empty text would end the answer before it begins.
  const stops = stopSequences.filter((stop) => stop !== '')
  return { maxTokens, temperature, topP, seed, stops }
}

/** What ends a line ends no JSON. */
function promptOf({ history, wrapper }: Dialogue, grammar: LlamaGrammar | undefined): Prompt {
  const { contextText, stopGenerationTriggers } = wrapper.generateContextState({ chatHistory: history })
  return { text: contextText, stops: grammar ? [] : stopGenerationTriggers, grammar }
}

async function gather(
  chunks: AsyncIterable<TextChunk>,
): Promise<CompletionResult & Pick<TextChunk, 'toolCalls'>> {
  let text = ''
  let last: TextChunk = { text: '' }
  for await (const chunk of chunks) {
    text += chunk.text
    last = chunk
  }
  return { ...last, finishReason: last.finishReason ?? 'stop', text }
}
