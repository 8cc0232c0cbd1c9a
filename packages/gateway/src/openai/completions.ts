import type { CompletionResult, TextChunk } from '@appfactory/sdk'
import type { OpenAI } from 'openai'
import { unsupported } from '../errors.js'
import type { Exchange } from '../exchange.js'
import { bodyReader } from '../schema.js'
import { frameOf, type Send, sendStream, type Telling } from '../stream.js'
import {
  generationOptions,
  now,
  nTimes,
  refuseSeveralStreams,
  StreamUsage,
  tellUsage,
  textFinishReason,
  uniqueId,
  usageOf,
  usageOfAll,
} from './generation.js'
import { type CompletionRequest, completionTable } from './generation.table.js'
import { WholeCharacters } from './whole-characters.js'

const readCompletion = bodyReader(completionTable)

/** `POST /completions` */
export async function completeText(exchange: Exchange): Promise<void> {
  const request = readCompletion(await exchange.readJson())
  refuseOtherShapes(request)
  const [prompt = ''] = [request.prompt].flat()
  const target = await exchange.directory.llm.find(request.model)
  exchange.plugin = target.handle.name
  const options = await generationOptions(exchange, request, target, request.maxTokens)
  const { handle } = target
  if (request.stream)
    return sendStream(
      exchange,
      handle.streamComplete(prompt, options),
      new CompletionTelling(exchange, request),
    )
  const results = await nTimes(request, options, (each) => handle.complete(prompt, each))
  const body = completionBody(request, results)
  tellUsage(exchange, body.usage !== undefined)
  exchange.sendJson(body)
}

function refuseOtherShapes(request: CompletionRequest): void {
  refuseSeveralStreams(request)
  if (request.echo) throw unsupported('echo', 'must be false')
  if (request.suffix) throw unsupported('suffix', 'plugins do not take it')
  if ((request.bestOf ?? 1) > (request.n ?? 1)) throw unsupported('best_of', 'must not be more than n')
  if (request.logprobs) throw unsupported('logprobs', 'plugins do not tell them')
}

function completionBody(request: CompletionRequest, results: readonly CompletionResult[]): OpenAI.Completion {
  const usage = usageOfAll(results.map(usageOf))
  return {
    id: uniqueId('cmpl-'),
    object: 'text_completion',
    created: now(),
    model: request.model,
    choices: results.map(({ text, finishReason }, index) => ({
      index,
      text,
      finish_reason: textFinishReason(finishReason),
      logprobs: null,
    })),
    ...(usage ? { usage } : {}),
  }
}

const placeholder = '\u0000'

/** A text as it is written. Only the last event before the usage tells why it ends. */
class CompletionTelling implements Telling<TextChunk> {
  readonly #common: Pick<OpenAI.Completion, 'id' | 'object' | 'created' | 'model'>
  readonly #includesUsage: boolean
  readonly #text: (text: string) => string
  readonly #characters = new WholeCharacters()
  #finishReason: string | undefined
  readonly #usage: StreamUsage

  constructor(exchange: Exchange, request: CompletionRequest) {
    this.#includesUsage = request.streamOptions?.includeUsage ?? false
    this.#usage = new StreamUsage(exchange, this.#includesUsage)
    this.#common = { id: uniqueId('cmpl-'), object: 'text_completion', created: now(), model: request.model }
    this.#text = frameOf(this.#event(placeholder, null), placeholder)
  }

  begin(): void {}

  piece(piece: TextChunk, send: Send): void {
    const text = this.#characters.add(piece.text)
    if (text !== '') send(this.#text(text))
    if (piece.finishReason !== undefined) this.#finishReason = piece.finishReason
    this.#usage.note(piece)
  }

  end(send: Send): void {
    send(JSON.stringify(this.#event(this.#characters.rest(), textFinishReason(this.#finishReason))))
    if (this.#includesUsage)
      send(
        JSON.stringify({
          ...this.#common,
          choices: [],
          usage: this.#usage.value,
        } satisfies OpenAI.Completion),
      )
    send('[DONE]')
  }

  idle(): string {
    return JSON.stringify(this.#event('', null))
  }

  #event(text: string, reason: 'stop' | 'length' | 'content_filter' | null): object {
    return { ...this.#common, choices: [{ index: 0, text, finish_reason: reason, logprobs: null }] }
  }
}
