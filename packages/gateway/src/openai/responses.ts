import type { ChatMessage, ChatResult, GenerationOptions, TextChunk } from '@appfactory/sdk'
import { textOf } from '@appfactory/sdk'
import type { OpenAI } from 'openai'
import { type Failure, RequestError, unsupported } from '../errors.js'
import type { Exchange } from '../exchange.js'
import { bodyReader } from '../schema.js'
import { type Send, sendStream, type Telling } from '../stream.js'
import { generationOptions, now, StreamUsage, tellUsage, uniqueId } from './generation.js'
import { heardMessages } from './hear.js'
import { givenItems, type ListedItem, pageOf } from './input-items.js'
import { formatOption } from './json-schema.js'
import { bodyOf, type ResponseBody, summaryOf } from './response-body.js'
import { joinTurns, turnOf, turnsOf } from './response-input.js'
import { type EndStatus, Output, type ResponseEvent } from './response-output.js'
import { itemsTable, type ResponseRequest, responseTable } from './responses.table.js'
import type { StoredItem, StoredResponse } from './stored-responses.js'
import { responseTools } from './tools.js'
import { streamWithLess, withLess } from './truncation.js'

const readResponse = bodyReader(responseTable)
const readItems = bodyReader(itemsTable)

/** `POST /responses` */
export async function createResponse(exchange: Exchange): Promise<void> {
  const given = await exchange.readJson()
  const request = readResponse(given)
  refuseOtherShapes(request)
  const conversation = new Conversation(exchange, request)
  const said = conversation.messages()
  const own = { ...responseTools(request), ...formatOf(request) }
  const target = await exchange.directory.llm.find(request.model)
  exchange.plugin = target.handle.name
  const messages = await heardMessages(exchange, target, said)
  const { metadata: _, store: __, ...hinting } = request
  const sampling = {
    ...hinting,
    reasoningEffort: request.reasoning?.effort,
    verbosity: request.text?.verbosity,
  }
  const general = await generationOptions(exchange, sampling, target, request.maxOutputTokens)
  const options: GenerationOptions = { ...general, ...own }
  const usage = new StreamUsage(exchange, request.stream ?? false)
  const answer = new Answer(request, usage, conversation.isKept, (body) => conversation.keep(body, given))
  const { handle } = target
  const shortens = request.truncation === 'auto'
  if (request.stream) {
    const begin = (said: readonly ChatMessage[]) => handle.streamChat([...said], options)
    return sendStream(exchange, shortens ? streamWithLess(messages, begin) : begin(messages), answer)
  }
  const ask = (said: readonly ChatMessage[]) => handle.chat([...said], options)
  answer.piece(pieceOf(await (shortens ? withLess(messages, ask) : ask(messages))))
  tellUsage(exchange, usage.isKnown)
  exchange.sendJson(answer.end())
}

/** `GET /responses/ID` */
export function retrieveResponse(exchange: Exchange): void {
  if (exchange.query.get('stream') === 'true')
    throw unsupported('stream', 'an answer that is kept is not streamed again')
  exchange.sendJson(storedIn(exchange).body)
}

/** `GET /responses/ID/input_items` */
export function listInputItems(exchange: Exchange): void {
  exchange.sendJson(pageOf(storedIn(exchange).input, exchange.query))
}

/** `POST /responses/ID/cancel` */
export function cancelResponse(exchange: Exchange): void {
  storedIn(exchange)
  const message = 'Only an answer in the background can be cancelled. Any other ends with its connection'
  throw new RequestError(400, message, { code: 'unsupported_operation' })
}

/** `DELETE /responses/ID` */
export function deleteResponse(exchange: Exchange): void {
  const id = idIn(exchange)
  if (!exchange.stored.of(exchange.owner).delete(id)) throw noSuchResponse(id)
  exchange.sendJson({ id, object: 'response', deleted: true })
}

/** @throws RequestError 404. */
function storedIn(exchange: Exchange): StoredResponse {
  const id = idIn(exchange)
  const found = exchange.stored.of(exchange.owner).get(id)
  if (!found) throw noSuchResponse(id)
  return found
}

function idIn({ path }: Exchange): string {
  return path.split('/')[2] ?? ''
}

function noSuchResponse(id: string): RequestError {
  const message = `There is no response ${JSON.stringify(id.slice(0, 100))} here, or it has been dropped`
  return new RequestError(404, message, { code: 'response_not_found' })
}

/** Refuses what would change the form of the answer, and what no plugin does. */
function refuseOtherShapes(request: ResponseRequest): void {
  if (request.background) throw unsupported('background', 'must be false')
  if (request.conversation !== undefined)
    throw unsupported('conversation', 'send its items, or previous_response_id')
  if (request.prompt) throw unsupported('prompt', 'templates are not kept here')
  if (request.topLogprobs) throw unsupported('top_logprobs', 'plugins do not tell them')
  if (request.include?.includes('message.output_text.logprobs'))
    throw unsupported('include', 'plugins do not tell logprobs')
}

function formatOf({ text }: ResponseRequest): Pick<GenerationOptions, 'responseFormat'> {
  return formatOption(text?.format?.type, text?.format?.schema, 'text.format.schema')
}

/** An answer in one piece. */
function pieceOf({ message, ...rest }: ChatResult): TextChunk {
  return { ...rest, text: textOf(message), ...(message.toolCalls ? { toolCalls: message.toolCalls } : {}) }
}

/** What was said before, and what of it is kept for the next time. */
class Conversation {
  readonly isKept: boolean
  readonly #exchange: Exchange
  readonly #request: ResponseRequest
  readonly #previous: StoredResponse | undefined
  /** What the client refers to. */
  readonly #referred = new Map<string, StoredItem>()
  /** What the client says now. */
  readonly #said: readonly ChatMessage[]
  readonly #turns: readonly ChatMessage[]

  /** @throws RequestError 400. */
  constructor(exchange: Exchange, request: ResponseRequest) {
    this.#exchange = exchange
    this.#request = request
    this.isKept = (request.store ?? true) && !exchange.settings.stateless
    this.#previous = this.#previousOf(request.previousResponseId)
    this.#said = turnsOf(request, (id) => this.#find(id))
    this.#turns = [...(this.#previous?.turns ?? []), ...this.#said]
    if (this.#turns.length > 0) return
    throw new RequestError(400, 'input: is required', { param: 'input', code: 'missing_required_parameter' })
  }

  /** As the contract has them. Instructions hold for one answer. */
  messages(): ChatMessage[] {
    const { instructions } = this.#request
    const first: ChatMessage[] = instructions === undefined ? [] : [{ role: 'system', content: instructions }]
    return joinTurns([...first, ...this.#turns])
  }

  /** Keeps an answer, so that the client can go on from it. */
  keep(body: ResponseBody, given: { input?: unknown }): void {
    if (!this.isKept) return
    const said = this.#saidItems(given)
    const items = this.#ownItems(body)
    const turns = [...this.#turns, ...items.map(({ turn }) => turn)]
    const kept = [...this.#referred.values()].reduce(
      (sum, { bytes }) => sum + bytes,
      this.#previous?.bytes ?? 0,
    )
    const bytes = kept + bytesOf(given) + bytesOf(body)
    const own = [...said, ...items].map((stored) => [stored.item.id ?? '', stored] as const)
    const known = new Map([...(this.#previous?.items ?? []), ...this.#referred, ...own])
    const before = this.#previous ? [...this.#previous.input, ...this.#previous.body.output] : []
    const input = [...before, ...said.map(({ item }) => item)]
    this.#exchange.stored
      .of(this.#exchange.owner)
      .add(body.id, { body, input, turns, items: known, bytes }, bytes)
  }

  /** What the client says now, with what it refers to in full. */
  #saidItems({ input }: { input?: unknown }): StoredItem[] {
    const items = givenItems(input)
    return this.#said.map((turn, index) => {
      const item: ListedItem = items[index] ?? { type: 'message' }
      const referred = item.type === 'item_reference' ? this.#referred.get(item.id ?? '') : undefined
      return referred ?? { item, turn, bytes: bytesOf(item) }
    })
  }

  #ownItems({ output }: ResponseBody): StoredItem[] {
    const { input } = readItems({ input: output })
    return output.map((item, index) => ({
      item,
      turn: turnOf(input[index] ?? {}, `output[${index}]`, () => undefined),
      bytes: bytesOf(item),
    }))
  }

  #previousOf(id: string | undefined): StoredResponse | undefined {
    if (id === undefined) return undefined
    const { settings, stored, owner } = this.#exchange
    const param = 'previous_response_id'
    if (settings.stateless)
      throw unsupported(param, 'no answers are kept here. Send the conversation as input')
    const found = stored.of(owner).get(id)
    if (found) return found
    const message = `${param}: there is no response ${JSON.stringify(id.slice(0, 100))} here any more. Send the conversation as input`
    throw new RequestError(400, message, { param, code: 'previous_response_not_found' })
  }

  #find(id: string): ChatMessage | undefined {
    const { stored, owner } = this.#exchange
    const found = stored
      .of(owner)
      .values.map(({ items }) => items.get(id))
      .find((item) => item !== undefined)
    if (found) this.#referred.set(id, found)
    return found?.turn
  }
}

function bytesOf(value: object): number {
  return Buffer.byteLength(JSON.stringify(value))
}

/** A response as it is written: the events of its pieces, and in the end the whole. */
class Answer implements Telling<TextChunk> {
  readonly #body: ResponseBody
  readonly #output: Output
  readonly #onEnd: (body: ResponseBody) => void
  #send: Send = () => {}
  #number = 0
  #finishReason: string | undefined
  readonly #usage: StreamUsage

  constructor(
    request: ResponseRequest,
    usage: StreamUsage,
    isKept: boolean,
    onEnd: (body: ResponseBody) => void,
  ) {
    this.#usage = usage
    this.#body = bodyOf(uniqueId('resp_'), request, isKept)
    this.#onEnd = onEnd
    const isParallel = request.parallelToolCalls ?? true
    this.#output = new Output((event) => this.#say(event), isParallel, summaryOf(request) !== undefined)
  }

  begin(send: Send): void {
    this.#send = send
    this.#tell('response.created', this.#body)
    this.#tell('response.in_progress', this.#body)
  }

  piece(piece: TextChunk): void {
    this.#output.add(piece)
    if (piece.finishReason !== undefined) this.#finishReason = piece.finishReason
    this.#usage.note(piece)
  }

  end(): ResponseBody {
    const reason = incompleteReasons[this.#finishReason ?? '']
    const status = reason ? 'incomplete' : 'completed'
    this.#output.end(status)
    const whole = this.#whole(status)
    const body: ResponseBody = {
      ...whole,
      incomplete_details: reason ? { reason } : null,
      completed_at: reason ? null : now(),
    }
    this.#onEnd(body)
    this.#tell(`response.${status}`, body)
    this.#send('[DONE]')
    return body
  }

  fail({ status, message }: Failure): void {
    const code = status === 429 ? 'rate_limit_exceeded' : 'server_error'
    this.#tell('response.failed', { ...this.#whole('failed'), error: { code, message } })
  }

  #whole(status: EndStatus | 'failed'): ResponseBody {
    return { ...this.#body, status, output: this.#output.items, usage: usageOf(this.#usage.value) }
  }

  #tell(type: `response.${'created' | 'in_progress' | 'failed' | EndStatus}`, response: ResponseBody): void {
    this.#send(JSON.stringify({ type, response, sequence_number: this.#number++ }), type)
  }

  #say(event: ResponseEvent): void {
    this.#send(JSON.stringify({ ...event, sequence_number: this.#number++ }), event.type)
  }
}

const incompleteReasons: Readonly<Record<string, 'max_output_tokens' | 'content_filter' | undefined>> = {
  length: 'max_output_tokens',
  content_filter: 'content_filter',
}

function usageOf({
  prompt_tokens,
  completion_tokens,
  total_tokens,
}: OpenAI.CompletionUsage): OpenAI.Responses.ResponseUsage {
  return {
    input_tokens: prompt_tokens,
    input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
    output_tokens: completion_tokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens,
  }
}
