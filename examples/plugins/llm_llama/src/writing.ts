import type { TextChunk } from '@appfactory/sdk'
import {
  LlamaChat,
  LlamaCompletion,
  type LlamaContextSequence,
  type LlamaGrammar,
  type LlamaText,
  type Token,
} from 'node-llama-cpp'
import type { Dialogue } from './prompt.js'
import type { Functions } from './tools.js'

export interface Sampling {
  maxTokens: number
  temperature: number
  topP: number | undefined
  seed: number | undefined
  /** Texts that end the answer. */
  stops: readonly string[]
}

/** A text to go on with. */
export interface Prompt {
  text: string | LlamaText
  /** What ends the answer, besides the model's own end of text. */
  stops: readonly (string | LlamaText)[]
  /** What the answer has to be. */
  grammar?: LlamaGrammar | undefined
}

/** A piece of an answer: said, or only thought (`reasoning`). */
export type Piece = TextChunk

/** How an answer came to its end. */
export interface Outcome {
  finishReason: 'stop' | 'length' | 'tool_calls'
  promptTokens: number
  completionTokens: number
  calls: readonly { name: string; params: unknown }[]
  warnings: readonly string[]
}

export type Writing = AsyncGenerator<Piece | Outcome, void, undefined>

/** Where an answer is written, and for whom. */
type Push = (piece: Piece) => void
type Limited = Sampling & { room: number }

/** Goes on with a text. */
export async function complete(
  sequence: LlamaContextSequence,
  tokens: Token[],
  { stops, grammar }: Prompt,
  sampling: Limited,
  signal: AbortSignal,
  push: Push,
): Promise<Outcome> {
  const completion = new LlamaCompletion({ contextSequence: sequence })
  const before = sequence.tokenMeter.getState()
  try {
    const { metadata } = await completion.generateCompletionWithMeta(tokens, {
      ...samplingOf(sampling),
      customStopTriggers: [...stops, ...sampling.stops],
      // An answer ends where the context is full; the beginning of the prompt is never dropped.
      contextShiftSize: 1,
      signal,
      onTextChunk: (text) => push({ text }),
      ...(grammar ? { grammar } : {}),
    })
    return {
      finishReason: reasonOf(metadata.stopReason),
      promptTokens: tokens.length + 1,
      completionTokens: sequence.tokenMeter.diff(before).usedOutputTokens,
      calls: [],
      warnings: [],
    }
  } finally {
    completion.dispose({ disposeSequence: false })
  }
}

/** Answers in a dialogue, with or without calls of functions. */
export async function answer(
  sequence: LlamaContextSequence,
  {
    history,
    wrapper,
    functions,
    isForced,
    promptTokens,
    warnings,
  }: Dialogue & Functions & { promptTokens: number },
  sampling: Limited,
  signal: AbortSignal,
  push: Push,
): Promise<Outcome> {
  const chat = new LlamaChat({ contextSequence: sequence, chatWrapper: wrapper })
  const before = sequence.tokenMeter.getState()
  try {
    const { functionCalls, metadata } = await chat.generateResponse(history, {
      ...samplingOf(sampling),
      functions,
      documentFunctionParams: true,
      customStopTriggers: isForced ? [] : sampling.stops,
      repeatPenalty: false,
      signal,
      onResponseChunk: ({ type, text }) =>
        push(type === 'segment' ? { text: '', reasoning: text } : { text }),
    })
    const calls = functionCalls?.map(({ functionName, params }) => ({ name: functionName, params })) ?? []
    return {
      finishReason: calls.length > 0 ? 'tool_calls' : reasonOf(metadata.stopReason),
      promptTokens: promptTokens + 1,
      completionTokens: sequence.tokenMeter.diff(before).usedOutputTokens,
      calls,
      warnings,
    }
  } finally {
    chat.dispose({ disposeSequence: false })
  }
}

function reasonOf(stopReason: string): Outcome['finishReason'] {
  return stopReason === 'maxTokens' ? 'length' : 'stop'
}

function samplingOf({ maxTokens, room, temperature, topP, seed }: Limited): object {
  return {
    maxTokens: Math.min(maxTokens, room),
    temperature,
    ...(topP === undefined ? {} : { topP }),
    ...(seed === undefined ? {} : { seed }),
  }
}
