import { randomUUID } from 'node:crypto'
import type { AnswerExtras, GenerationOptions, LLMContract, TextChunk } from '@appfactory/sdk'
import { toSnakeCase } from '@appfactory/sdk/internal'
import type { OpenAI } from 'openai'
import { unsupported } from '../errors.js'
import type { Exchange } from '../exchange.js'
import type { Target } from '../models.js'
import { type Hints, hintNames } from './generation.table.js'

/** What all requests for text may have. */
interface Sampling extends Hints {
  temperature?: number | undefined
  topP?: number | undefined
  stop?: string | string[] | undefined
  seed?: number | undefined
}

/** The options that requests for text share, as the contract has them; hints are named in a header of the answer. */
export async function generationOptions(
  exchange: Exchange,
  request: Sampling,
  { handle, model }: Target<LLMContract>,
  maxTokens: number | undefined,
): Promise<GenerationOptions> {
  const hints = hintsOf(request)
  exchange.tellIgnored(Object.keys(hints))
  const most = maxTokens ?? (await exchange.directory.mostTokens(handle.name, model))
  const { temperature, topP, stop, seed } = request
  // Faster than a row of spreads.
  const options: GenerationOptions = { signal: exchange.signal }
  if (model !== undefined) options.model = model
  if (most !== undefined) options.maxTokens = most
  if (temperature !== undefined) options.temperature = temperature
  if (topP !== undefined) options.topP = topP
  const stops = [stop ?? []].flat().filter((text) => text !== '')
  if (stops.length > 0) options.stopSequences = stops
  if (seed !== undefined) options.seed = seed
  if (Object.keys(hints).length > 0) options.providerOptions = { openai: hints }
  return options
}

/** Several answers at once can’t be streamed: their pieces would need places of their own. */
export function refuseSeveralStreams({
  n = 1,
  stream = false,
}: {
  n?: number | undefined
  stream?: boolean | undefined
}): void {
  if (stream && n > 1) throw unsupported('n', 'must be 1 in a stream')
}

/** As many answers as a request asks for, made at once: each has a seed of its own. */
export async function nTimes<Result>(
  { n = 1 }: { n?: number | undefined },
  options: GenerationOptions,
  answer: (options: GenerationOptions) => Promise<Result>,
): Promise<Result[]> {
  if (n === 1) return [await answer(options)]
  const { seed } = options
  const each = (_: unknown, index: number): Promise<Result> =>
    answer(seed === undefined ? options : { ...options, seed: seed + index })
  return Promise.all(Array.from({ length: n }, each))
}

function hintsOf(request: Hints): Record<string, unknown> {
  const given = hintNames.filter((name) => request[name] !== undefined)
  return Object.fromEntries(given.map((name) => [toSnakeCase(name), request[name]]))
}

/** Usage as OpenAI counts it; undefined where the plugin does not tell. */
export function usageOf(extras: AnswerExtras | undefined): OpenAI.CompletionUsage | undefined {
  const { promptTokens, completionTokens, totalTokens } = extras?.usage ?? {}
  const total = totalTokens ?? extras?.tokensUsed
  if (promptTokens === undefined && completionTokens === undefined && total === undefined) return undefined
  const prompt = promptTokens ?? Math.max(0, (total ?? 0) - (completionTokens ?? 0))
  const completion = completionTokens ?? Math.max(0, (total ?? prompt) - prompt)
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: total ?? prompt + completion }
}

/** The sum of several answers’ usage; the prompt is the same. */
export function usageOfAll(
  all: readonly (OpenAI.CompletionUsage | undefined)[],
): OpenAI.CompletionUsage | undefined {
  const known = all.filter((usage) => usage !== undefined)
  const [first] = known
  if (!first) return undefined
  const completion = known.reduce((sum, usage) => sum + usage.completion_tokens, 0)
  return {
    prompt_tokens: first.prompt_tokens,
    completion_tokens: completion,
    total_tokens: first.prompt_tokens + completion,
  }
}

/** Tells a client whether the usage of a whole answer is known. */
export function tellUsage(exchange: Exchange, isKnown: boolean): void {
  if (isKnown) exchange.counting.add(exchange.plugin ?? '')
  else exchange.tellUnknownUsage()
}

/** What a stream has used. */
export class StreamUsage {
  readonly #exchange: Exchange
  #last: TextChunk | undefined

  /** @param isAsked Whether the client is told of it: headers go first, so that it is unknown where the plugin has told none so far. */
  constructor(exchange: Exchange, isAsked: boolean) {
    this.#exchange = exchange
    if (isAsked && !exchange.counting.has(exchange.plugin ?? '')) exchange.tellUnknownUsage()
  }

  note(piece: TextChunk): void {
    if (!usageOf(piece)) return
    this.#last = piece
    this.#exchange.counting.add(this.#exchange.plugin ?? '')
  }

  get isKnown(): boolean {
    return this.#last !== undefined
  }

  /** Zeros where the plugin does not count: clients’ schemas know no null. */
  get value(): OpenAI.CompletionUsage {
    return usageOrZero(this.#last)
  }
}

function usageOrZero(extras: AnswerExtras | undefined): OpenAI.CompletionUsage {
  return usageOf(extras) ?? { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }
}

/** An id that nothing else has. @param prefix What it is of, such as `chatcmpl-`. */
export function uniqueId(prefix: string): string {
  return `${prefix}${randomUUID().replaceAll('-', '')}`
}

/** Now, in seconds of Unix time. */
export function now(): number {
  return Math.floor(Date.now() / 1000)
}

/** Why an answer of text ended. What OpenAI has no word for is a normal end. */
export function textFinishReason(reason: string | undefined): 'stop' | 'length' | 'content_filter' {
  return reason === 'length' || reason === 'content_filter' ? reason : 'stop'
}
