import { PluginError } from '@appfactory/sdk'
import {
  type ChatWrapper,
  getLlama,
  type Llama,
  LlamaCompletion,
  type LlamaContextSequence,
  LlamaLogLevel,
  type LlamaModel,
  LlamaText,
  resolveChatWrapper,
  type Token,
} from 'node-llama-cpp'
import { Pool } from './pool.js'
import type { Prompt } from './prompt.js'
import { TextStream } from './text-stream.js'

export interface EngineSettings {
  modelPath: string
  /** In tokens; undefined for the model's own. */
  contextSize: number | undefined
  parallel: number
  threads: number
}

export interface Sampling {
  maxTokens: number
  temperature: number
  topP: number | undefined
  seed: number | undefined
}

/** How an answer came to its end. */
export interface Outcome {
  finishReason: 'stop' | 'length'
  promptTokens: number
  completionTokens: number
}

const longestDefaultContext = 4096

/** A model in memory. Several answers may be written at the same time, each in a sequence of its own. */
export class Engine {
  readonly contextSize: number
  readonly #llama: Llama
  readonly #model: LlamaModel
  readonly #sequences: Pool<LlamaContextSequence>
  #wrapper: ChatWrapper | undefined

  private constructor(
    llama: Llama,
    model: LlamaModel,
    contextSize: number,
    sequences: LlamaContextSequence[],
  ) {
    this.#llama = llama
    this.#model = model
    this.contextSize = contextSize
    this.#sequences = new Pool(sequences)
  }

  static async load({ modelPath, parallel, threads, ...settings }: EngineSettings): Promise<Engine> {
    // Never builds llama.cpp from source: what is installed works or fails, at once.
    const llama = await getLlama({
      build: 'never',
      gpu: false,
      logLevel: LlamaLogLevel.error,
      progressLogs: false,
    })
    try {
      const model = await llama.loadModel({ modelPath })
      const { contextSize = Math.min(model.trainContextSize, longestDefaultContext) } = settings
      const context = await model.createContext({ contextSize, sequences: parallel, threads })
      const sequences = Array.from({ length: parallel }, () => context.getSequence())
      return new Engine(llama, model, contextSize, sequences)
    } catch (error) {
      await llama.dispose()
      throw error
    }
  }

  /** The chat template that the model's file brings along. */
  get chatWrapper(): ChatWrapper {
    this.#wrapper ??= resolveChatWrapper(this.#model)
    return this.#wrapper
  }

  /** Writes on after the prompt: pieces of text, and last how it ended. Leaving the iteration stops the model. */
  async *write(
    prompt: Prompt,
    sampling: Sampling,
    signal?: AbortSignal,
  ): AsyncGenerator<string | Outcome, void, undefined> {
    const tokens = this.#tokenize(prompt.text)
    // One for the beginning of the text, one for the answer at least.
    const room = this.contextSize - tokens.length - 2
    if (room < 1) throw tooLong(tokens.length, this.contextSize)

    const leave = new AbortController()
    const stop = signal ? AbortSignal.any([signal, leave.signal]) : leave.signal
    const sequence = await this.#sequences.take(stop)
    const pieces = new TextStream()
    // What an earlier call left in the memory would change the last digits, and so now and then a word.
    const writing = sequence
      .clearHistory()
      .then(() =>
        this.#complete(sequence, tokens, prompt.stops, { ...sampling, room }, stop, (piece) =>
          pieces.push(piece),
        ),
      )
      .finally(() => pieces.end())
    // It may fail while the consumer is busy with a piece; whoever awaits it below still learns of that.
    writing.catch(() => undefined)
    try {
      yield* pieces
      yield await writing
    } finally {
      leave.abort()
      // The sequence is free only when the model has stopped, however it ended.
      await writing.catch(() => undefined)
      this.#sequences.giveBack(sequence)
    }
  }

  async dispose(): Promise<void> {
    await this.#llama.dispose()
  }

  async #complete(
    sequence: LlamaContextSequence,
    tokens: Token[],
    stops: Prompt['stops'],
    { maxTokens, temperature, topP, seed, room }: Sampling & { room: number },
    signal: AbortSignal,
    onTextChunk: (piece: string) => void,
  ): Promise<Outcome> {
    const completion = new LlamaCompletion({ contextSequence: sequence })
    const before = sequence.tokenMeter.getState()
    try {
      const { metadata } = await completion.generateCompletionWithMeta(tokens, {
        maxTokens: Math.min(maxTokens, room),
        temperature,
        customStopTriggers: stops,
        // An answer ends where the context is full; the beginning of the prompt is never dropped.
        contextShiftSize: 1,
        signal,
        onTextChunk,
        ...(topP === undefined ? {} : { topP }),
        ...(seed === undefined ? {} : { seed }),
      })
      const used = sequence.tokenMeter.diff(before)
      return {
        finishReason: metadata.stopReason === 'maxTokens' ? 'length' : 'stop',
        promptTokens: tokens.length + 1,
        completionTokens: used.usedOutputTokens,
      }
    } finally {
      completion.dispose({ disposeSequence: false })
    }
  }

  /** Without the token of the beginning, which LlamaCompletion adds. */
  #tokenize(text: string | LlamaText): Token[] {
    const { tokenizer, tokens } = this.#model
    // Text of a caller never becomes a special token: "</s>" in a message is four characters.
    if (typeof text === 'string') return tokenizer(text, false, 'trimLeadingSpace')
    const all = LlamaText(text).tokenize(tokenizer, 'trimLeadingSpace')
    return all[0] === tokens.bos ? all.slice(1) : all
  }
}

function tooLong(promptTokens: number, contextSize: number): PluginError {
  return new PluginError(
    'LLM_CONTEXT_TOO_LONG',
    `The prompt has ${promptTokens} tokens and the context ${contextSize}, answer included; send a shorter one`,
    { prompt_tokens: promptTokens, context_size: contextSize },
  )
}
