import type { ChatResult, GenerationOptions, TextChunk, ToolCall } from '@appfactory/sdk'
import { textOf } from '@appfactory/sdk'
import type { OpenAI } from 'openai'
import { unsupported, wrongMember } from '../errors.js'
import type { Exchange } from '../exchange.js'
import { bodyReader } from '../schema.js'
import { frameOf, type Send, sendStream, type Telling } from '../stream.js'
import { type ChatVoice, chatVoiceOf, type SpokenChunk } from './chat-voice.js'
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
import { type ChatRequest, chatTable } from './generation.table.js'
import { heardMessages } from './hear.js'
import { formatOption } from './json-schema.js'
import { messagesOf } from './messages.js'
import { chatTools, isLegacy } from './tools.js'
import { WholeCharacters } from './whole-characters.js'

type Completion = OpenAI.ChatCompletion
type Chunk = OpenAI.ChatCompletionChunk
type Delta = Chunk['choices'][number]['delta'] & {
  reasoning_content?: string
  audio?: Partial<OpenAI.ChatCompletionAudio>
}
type FinishReason = Completion['choices'][number]['finish_reason']

const readChat = bodyReader(chatTable)

/** `POST /chat/completions` */
export async function completeChat(exchange: Exchange): Promise<void> {
  const request = readChat(await exchange.readJson())
  refuseOtherShapes(request)
  const voice = await chatVoiceOf(exchange, request)
  const given = messagesOf(request.messages, (id) => exchange.transcripts.of(exchange.owner).get(id))
  const own = { ...chatTools(request), ...formatOf(request) }
  const target = await exchange.directory.llm.find(request.model)
  exchange.plugin = target.handle.name
  const messages = await heardMessages(exchange, target, given)
  const maxTokens = request.maxCompletionTokens ?? request.maxTokens
  const options = Object.assign(await generationOptions(exchange, request, target, maxTokens), own)
  const { handle } = target
  if (request.stream) return sendChat(exchange, request, handle.streamChat(messages, options), voice)
  const results = await nTimes(request, options, (each) => handle.chat(messages, each))
  const body = completionBody(request, results)
  if (voice) await speakAnswers(body, voice)
  tellUsage(exchange, body.usage !== undefined)
  exchange.sendJson(body)
}

function sendChat(
  exchange: Exchange,
  request: ChatRequest,
  pieces: AsyncIterable<TextChunk>,
  voice: ChatVoice | undefined,
): Promise<void> {
  const telling = new ChatTelling(exchange, request, voice)
  return sendStream<SpokenChunk>(exchange, voice?.stream(pieces) ?? pieces, telling)
}

/** Puts sound in the place of text. */
async function speakAnswers({ choices }: Completion, voice: ChatVoice): Promise<void> {
  for (const { message } of choices) {
    const audio = await voice.spoken(message.content ?? '')
    if (audio) Object.assign(message, { content: null, audio })
  }
}

/** Refuses what would change the form of the answer, and what no plugin does. */
function refuseOtherShapes(request: ChatRequest): void {
  refuseSeveralStreams(request)
  if (request.logprobs) throw unsupported('logprobs', 'plugins do not tell them')
  if (request.topLogprobs) throw unsupported('top_logprobs', 'plugins do not tell them')
}

function formatOf({ responseFormat }: ChatRequest): Pick<GenerationOptions, 'responseFormat'> {
  const path = 'response_format.json_schema'
  const { type, jsonSchema } = responseFormat ?? {}
  if (type === 'json_schema' && !jsonSchema) throw wrongMember(path, 'is required')
  return formatOption(type, jsonSchema?.schema, `${path}.schema`)
}

function completionBody(request: ChatRequest, results: readonly ChatResult[]): Completion {
  const usage = usageOfAll(results.map(usageOf))
  return {
    id: uniqueId('chatcmpl-'),
    object: 'chat.completion',
    created: now(),
    model: request.model,
    choices: results.map((result, index) => choiceOf(request, result, index)),
    ...(usage ? { usage } : {}),
  }
}

function choiceOf(request: ChatRequest, result: ChatResult, index: number): Completion['choices'][number] {
  const { message, finishReason, reasoning } = result
  const calls = keptCalls(request, message.toolCalls)
  const text = textOf(message)
  return {
    index,
    message: {
      role: 'assistant',
      content: text === '' && calls.length > 0 ? null : text,
      refusal: null,
      ...reasoningOf(reasoning),
      ...callsOf(request, calls),
    },
    finish_reason: finishReasonOf(request, finishReason, calls.length > 0),
    logprobs: null,
  }
}

/** A model that thinks aloud: the member that clients look for, which OpenAI does not have. */
function reasoningOf(reasoning: unknown): { reasoning_content?: string } {
  return typeof reasoning === 'string' && reasoning !== '' ? { reasoning_content: reasoning } : {}
}

/** Whether a client takes one call at most. */
function isSingle(request: ChatRequest): boolean {
  return request.parallelToolCalls === false || isLegacy(request)
}

function keptCalls(request: ChatRequest, calls: readonly ToolCall[] = []): readonly ToolCall[] {
  return isSingle(request) ? calls.slice(0, 1) : calls
}

function callsOf(
  request: ChatRequest,
  calls: readonly ToolCall[],
): Pick<OpenAI.ChatCompletionMessage, 'tool_calls' | 'function_call'> {
  const bodies = calls.map(({ id, name, arguments: given }) => ({
    id,
    type: 'function' as const,
    function: { name, arguments: JSON.stringify(given) },
  }))
  const [first] = bodies
  if (!first) return {}
  return isLegacy(request) ? { function_call: first.function } : { tool_calls: bodies }
}

function finishReasonOf(request: ChatRequest, reason: string | undefined, hasCalls: boolean): FinishReason {
  if (hasCalls || reason === 'tool_calls') return isLegacy(request) ? 'function_call' : 'tool_calls'
  return textFinishReason(reason)
}

const placeholder = '\u0000'

/** An answer as it is written: the events of its pieces. */
class ChatTelling implements Telling<SpokenChunk> {
  readonly #request: ChatRequest
  readonly #common: Pick<Chunk, 'id' | 'object' | 'created' | 'model'>
  readonly #includesUsage: boolean
  readonly #text: (text: string) => string
  readonly #characters = new WholeCharacters()
  readonly #thoughts = new WholeCharacters()
  #calls = 0
  #finishReason: string | undefined
  readonly #usage: StreamUsage
  readonly #voice: ChatVoice | undefined
  /** Of the sound. */
  readonly #audioId = uniqueId('audio_')
  #transcript = ''

  constructor(exchange: Exchange, request: ChatRequest, voice: ChatVoice | undefined) {
    this.#voice = voice
    this.#request = request
    this.#includesUsage = request.streamOptions?.includeUsage ?? false
    this.#usage = new StreamUsage(exchange, this.#includesUsage)
    this.#common = {
      id: uniqueId('chatcmpl-'),
      object: 'chat.completion.chunk',
      created: now(),
      model: request.model,
    }
    this.#text = frameOf(this.#chunk({ content: placeholder }), placeholder)
  }

  begin(send: Send): void {
    send(JSON.stringify(this.#chunk({ role: 'assistant', content: this.#voice ? null : '' })))
  }

  piece(piece: SpokenChunk, send: Send): void {
    if (typeof piece.reasoning === 'string') this.#think(this.#thoughts.add(piece.reasoning), send)
    this.#write(this.#characters.add(piece.text), send)
    if (piece.sound) send(this.#audio({ data: Buffer.from(piece.sound).toString('base64') }))
    if (piece.toolCalls) this.#sendCalls(piece.toolCalls, send)
    if (piece.finishReason !== undefined) this.#finishReason = piece.finishReason
    this.#usage.note(piece)
  }

  end(send: Send): void {
    this.#think(this.#thoughts.rest(), send)
    this.#write(this.#characters.rest(), send)
    if (this.#voice && this.#transcript !== '')
      send(this.#audio(this.#voice.keep(this.#audioId, this.#transcript)))
    const reason = finishReasonOf(this.#request, this.#finishReason, this.#calls > 0)
    send(JSON.stringify(this.#chunk({}, reason)))
    if (this.#includesUsage)
      send(JSON.stringify({ ...this.#common, choices: [], usage: this.#usage.value } satisfies Chunk))
    send('[DONE]')
  }

  #think(text: string, send: Send): void {
    if (text !== '') send(JSON.stringify(this.#chunk(reasoningOf(text))))
  }

  #write(text: string, send: Send): void {
    if (text !== '') send(this.#voice ? this.#said(text) : this.#text(text))
  }

  #said(transcript: string): string {
    this.#transcript += transcript
    return this.#audio({ transcript })
  }

  #audio(audio: Partial<OpenAI.ChatCompletionAudio>): string {
    return JSON.stringify(this.#chunk({ audio: { id: this.#audioId, ...audio } }))
  }

  idle(): string {
    return JSON.stringify(this.#chunk({}))
  }

  /** A call comes whole, and clients expect its arguments behind its name. */
  #sendCalls(calls: readonly ToolCall[], send: Send): void {
    const kept = isSingle(this.#request) && this.#calls > 0 ? [] : keptCalls(this.#request, calls)
    for (const { id, name, arguments: given } of kept) {
      const text = JSON.stringify(given)
      const index = this.#calls++
      for (const delta of isLegacy(this.#request)
        ? legacyDeltas(name, text)
        : callDeltas(index, id, name, text))
        send(JSON.stringify(this.#chunk(delta)))
    }
  }

  #chunk(delta: Delta, reason: FinishReason | null = null): Chunk {
    return {
      ...this.#common,
      choices: [{ index: 0, delta, finish_reason: reason, logprobs: null }],
      ...(this.#includesUsage ? { usage: null } : {}),
    }
  }
}

function callDeltas(index: number, id: string, name: string, text: string): Delta[] {
  return [
    { tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] },
    { tool_calls: [{ index, function: { arguments: text } }] },
  ]
}

function legacyDeltas(name: string, text: string): Delta[] {
  return [{ function_call: { name, arguments: '' } }, { function_call: { arguments: text } }]
}
