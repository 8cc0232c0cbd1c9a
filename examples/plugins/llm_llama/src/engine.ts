import { PluginError } from '@appfactory/sdk'
import {
  type ChatWrapper,
  getLlama,
  type Llama,
  type LlamaContextSequence,
  type LlamaGrammar,
  LlamaLogLevel,
  type LlamaModel,
  LlamaText,
  resolveChatWrapper,
  type Token,
} from 'node-llama-cpp'
import { Pool } from './pool.js'
import type { Dialogue } from './prompt.js'
import type { GrammarSchema } from './schema.js'
import { TextStream } from './text-stream.js'
import { type Functions, withCall } from './tools.js'
import {
  answer,
  complete,
  type Outcome,
  type Piece,
  type Prompt,
  type Sampling,
  type Writing,
} from './writing.js'

export interface EngineSettings {
  modelPath: string
  /** In tokens; undefined for the model's own. */
  contextSize: number | undefined
  parallel: number
  threads: number
}

const longestDefaultContext = 4096
/** What a call takes besides its name and arguments, in tokens at most. */
const callTokens = 16

/** What is left for a call, at least, where tools are described, in tokens. */
const leastRoom = 64
const untold = 'The context is too small to describe tools in: the model knew nothing but their names'

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

  /** What lets a model write nothing but values of a schema. @throws Where llama.cpp can't make one. */
  grammarFor(schema: GrammarSchema): Promise<LlamaGrammar> {
    return this.#llama.createGrammarForJsonSchema<GrammarSchema, Record<string, never>>(schema)
  }

  /** Writes on after the prompt: pieces of text, and last how it ended. Leaving the iteration stops the model. */
  async *write(prompt: Prompt, sampling: Sampling, signal?: AbortSignal): Writing {
    const tokens = this.#tokenize(prompt.text)
    const room = this.#roomBehind(tokens.length)
    yield* this.#inSequence(signal, (sequence, push, stop) =>
      complete(sequence, tokens, prompt, { ...sampling, room }, stop, push),
    )
  }

  /** Answers in a dialogue, with or without calls of functions. Leaving the iteration stops the model. */
  async *answer(
    { history, wrapper: own }: Dialogue,
    { functions, isForced }: Functions,
    sampling: Sampling,
    signal?: AbortSignal,
  ): Writing {
    const lengthOf = (each: ChatWrapper): number => {
      const options = { chatHistory: history, availableFunctions: functions, documentFunctionParams: true }
      return this.#tokenize(each.generateContextState(options).contextText).length
    }
    const described = isForced ? withCall(own, true) : own
    // A model that has to call one can do so without knowing more of it.
    const isTold = !isForced || lengthOf(described) + leastRoom <= this.contextSize
    const wrapper = isTold ? described : withCall(own, false)
    const promptTokens = lengthOf(wrapper)
    const room = this.#roomBehind(promptTokens + callTokens)
    yield* this.#inSequence(signal, (sequence, push, stop) =>
      answer(
        sequence,
        { history, wrapper, functions, isForced, promptTokens, warnings: isTold ? [] : [untold] },
        { ...sampling, room },
        stop,
        push,
      ),
    )
  }

  async dispose(): Promise<void> {
    await this.#llama.dispose()
  }

  /** Runs what writes an answer in a sequence of its own, and gives its pieces as they come. */
  async *#inSequence(
    signal: AbortSignal | undefined,
    work: (
      sequence: LlamaContextSequence,
      push: (piece: Piece) => void,
      stop: AbortSignal,
    ) => Promise<Outcome>,
  ): Writing {
    const leave = new AbortController()
    const stop = signal ? AbortSignal.any([signal, leave.signal]) : leave.signal
    const sequence = await this.#sequences.take(stop)
    const pieces = new TextStream<Piece>()
    // What an earlier call left in the memory would change the last digits, and so now and then a word.
    const writing = sequence
      .clearHistory()
      .then(() => work(sequence, (piece) => pieces.push(piece), stop))
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

  /** One token is for the beginning of the text, one for the answer at least. */
  #roomBehind(promptTokens: number): number {
    const room = this.contextSize - promptTokens - 2
    if (room < 1) throw tooLong(promptTokens, this.contextSize)
    return room
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
