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
import { readGgufFileInfo } from 'node-llama-cpp'
import { Engine, type Outcome } from './engine.js'
import { type Prompt, plainPrompt, templatePrompt } from './prompt.js'

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
    const { text, ...rest } = await gather(this.streamChat(messages, options))
    return { ...rest, message: { role: 'assistant', content: text.trimEnd() } }
  }

  override async *streamComplete(
    prompt: string,
    options: GenerationOptions = {},
  ): AsyncGenerator<TextChunk, void, undefined> {
    this.#checkModel(options.model)
    const engine = await this.#ensureEngine()
    yield* this.#write(engine, { text: prompt, stops: [], warnings: [] }, options)
  }

  override async *streamChat(
    messages: ChatMessage[],
    options: GenerationOptions = {},
  ): AsyncGenerator<TextChunk, void, undefined> {
    this.#checkModel(options.model)
    refuseTools(options)
    const engine = await this.#ensureEngine()
    const plain = this.#config.prompt_format === 'plain'
    const prompt = plain ? plainPrompt(messages) : templatePrompt(messages, engine.chatWrapper)
    let begun = false
    for await (const chunk of this.#write(engine, prompt, options)) {
      // The blank between "Bot:" and the answer is none of the answer's.
      const text: string = begun ? chunk.text : chunk.text.trimStart()
      begun ||= text !== ''
      if (text !== '' || chunk.finishReason) yield { ...chunk, text }
    }
  }

  get #modelId(): string {
    return basename(this.#modelPath, '.gguf')
  }

  async *#write(
    engine: Engine,
    prompt: Prompt,
    options: GenerationOptions,
  ): AsyncGenerator<TextChunk, void, undefined> {
    const { maxTokens = 1024, temperature = 0.7, topP, seed, stopSequences = [], signal } = options
    // An empty text would end the answer before it begins.
    const stops = [...prompt.stops, ...stopSequences.filter((stop) => stop !== '')]
    const sampling = { maxTokens, temperature, topP, seed }
    for await (const piece of engine.write({ ...prompt, stops }, sampling, signal)) {
      if (typeof piece === 'string') yield { text: piece }
      else yield this.#lastChunk(piece, [...prompt.warnings, ...warningsFor(options)])
    }
  }

  /** No text, but all that is known at the end. */
  #lastChunk({ finishReason, promptTokens, completionTokens }: Outcome, warnings: string[]): TextChunk {
    const totalTokens = promptTokens + completionTokens
    return {
      text: '',
      finishReason,
      model: this.#modelId,
      tokensUsed: totalTokens,
      usage: { promptTokens, completionTokens, totalTokens },
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

/** Whoever sends tools waits for calls: an answer without any would be taken for the model’s choice. */
function refuseTools({ tools = [], toolChoice }: GenerationOptions): void {
  if (tools.length === 0 || toolChoice === 'none') return
  const message = 'llm_llama calls no tools. Leave them out, or ask another model'
  const issues = [{ path: 'tools', message }]
  throw new PluginError('INVALID_PARAMS', `tools: ${message}`, { issues })
}

function warningsFor({ responseFormat }: GenerationOptions): string[] {
  if (responseFormat === undefined || responseFormat.type === 'text') return []
  return ['responseFormat was ignored: llm_llama writes plain text']
}

async function gather(chunks: AsyncIterable<TextChunk>): Promise<CompletionResult> {
  let text = ''
  let last: TextChunk = { text: '' }
  for await (const chunk of chunks) {
    text += chunk.text
    last = chunk
  }
  return { ...last, finishReason: last.finishReason ?? 'stop', text }
}
