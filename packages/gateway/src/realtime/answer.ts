import type { AudioChunk, ChatMessage, GenerationOptions, TextChunk, ToolCall } from '@appfactory/sdk'
import { Resampler } from '@appfactory/sdk/internal'
import type {
  RealtimeConversationItemAssistantMessage,
  RealtimeResponse,
  RealtimeResponseStatus,
} from 'openai/resources/realtime/realtime'
import { type Making, speechRate } from '../audio/encode.js'
import { audioFailure } from '../audio/failure.js'
import { AudioProblem } from '../audio/problem.js'
import { encodeSpeech } from '../audio/thread.js'
import { failureOf, RequestError } from '../errors.js'
import type { Exchange } from '../exchange.js'
import { usageOf } from '../openai/generation.js'
import { voiceOf } from '../openai/speech.js'
import { type Spoken, sentencesSpoken } from '../openai/spoken.js'
import { streamWithLess } from '../openai/truncation.js'
import { WholeCharacters } from '../openai/whole-characters.js'
import { type Conversation, heardOf, type Item } from './conversation.js'
import type { AnswerSettings } from './settings.js'
import { type EventSocket, idOf } from './socket.js'
import { bytesOf, defaultFormat, formatShown, samplesOf } from './sound.js'

/** The most sound in one event: half a second at 24 kHz. */
const mostDeltaBytes = 24_000

/** What an answer is made with. */
export interface AnswerContext {
  socket: EventSocket
  exchange: Exchange
  conversationId: string
  /** The plugins that write and speak; undefined: the active ones. */
  model: string | undefined
  mouth: string | undefined
}

/** What is to be answered. */
export interface Question {
  settings: AnswerSettings
  /** What was said so far, once its transcripts are there. */
  messages(): Promise<ChatMessage[]>
  /** Gets the answer. undefined: the answer is for the client alone. */
  conversation: Conversation | undefined
  metadata: Readonly<Record<string, string>> | undefined
  /** An answer that has to end first. */
  after: Promise<void> | undefined
}

type Reason = 'turn_detected' | 'client_cancelled'
type AssistantItem = Item & { wire: RealtimeConversationItemAssistantMessage & { id: string } }

/** An answer as it is written and spoken. */
export class Answer {
  readonly id = idOf('resp')
  /** Resolves when its last event is sent; it never rejects. */
  readonly finished: Promise<void>
  readonly #context: AnswerContext
  readonly #question: Question
  readonly #abort = new AbortController()
  #reason: Reason | undefined
  #output: Item[] = []
  #calls: ToolCall[] = []
  #finishReason: string | undefined
  #last: TextChunk | undefined

  constructor(context: AnswerContext, question: Question) {
    this.#context = context
    this.#question = question
    this.finished = this.#run()
  }

  get isCancelled(): boolean {
    return this.#abort.signal.aborted
  }

  /** Ends it, and the calls of plugins that it is made of. */
  cancel(reason: Reason): void {
    if (this.isCancelled) return
    this.#reason = reason
    this.#abort.abort(new Error('The answer was cancelled'))
  }

  async #run(): Promise<void> {
    await this.#question.after
    const { socket } = this.#context
    socket.send({ type: 'response.created', response: this.#shown('in_progress') })
    try {
      await this.#write()
      const isCut = this.#finishReason === 'length' || this.#finishReason === 'content_filter'
      const reason = this.#finishReason === 'length' ? 'max_output_tokens' : 'content_filter'
      if (isCut) this.#done('incomplete', { type: 'incomplete', reason })
      else this.#done('completed')
    } catch (error) {
      if (this.isCancelled)
        this.#done('cancelled', { type: 'cancelled', reason: this.#reason ?? 'client_cancelled' })
      else this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    const failure = failureOf(error instanceof AudioProblem ? audioFailure(error, 'voice') : error)
    if (failure.status === 500) this.#context.exchange.report(error)
    this.#context.socket.sendFailure(failure, undefined)
    const { type, code } = failure
    this.#done('failed', { type: 'failed', error: { type, ...(code === null ? {} : { code }) } })
  }

  #done(status: NonNullable<RealtimeResponse['status']>, details?: RealtimeResponseStatus): void {
    const { exchange, socket } = this.#context
    socket.send({
      type: 'response.done',
      response: { ...this.#shown(status), ...this.#usage(), ...(details ? { status_details: details } : {}) },
    })
    socket.send({ type: 'rate_limits.updated', rate_limits: exchange.rateLimits })
  }

  async #write(): Promise<void> {
    const { settings } = this.#question
    const { signal } = this.#abort
    const said = await untilAborted(this.#question.messages(), signal)
    const instructions: ChatMessage[] =
      settings.instructions === '' ? [] : [{ role: 'system', content: settings.instructions }]
    const messages = [...instructions, ...said]
    if (messages.length === 0) throw nothingToAnswer()
    const { model } = this.#context
    const { directory } = this.#context.exchange
    const name = model ?? directory.llm.active()
    if (name === undefined) throw noPlugin('answers', 'llm')
    const { handle, model: own } = await directory.llm.find(name)
    const options = await this.#options(handle.name, own)
    const pieces = streamWithLess(messages, (fewer) => handle.streamChat([...fewer], options))
    const texts = this.#texts(pieces)
    const first = await texts.next()
    if (!first.done) await this.#say(chained(first.value, texts))
    for (const call of this.#calls) this.#call(call)
  }

  async #options(plugin: string, model: string | undefined): Promise<GenerationOptions> {
    const { tools, toolChoice, temperature, maxOutputTokens } = this.#question.settings
    const most =
      maxOutputTokens === 'inf'
        ? await this.#context.exchange.directory.mostTokens(plugin, model)
        : maxOutputTokens
    return {
      signal: this.#abort.signal,
      ...(model === undefined ? {} : { model }),
      ...(most === undefined ? {} : { maxTokens: most }),
      ...(temperature === undefined ? {} : { temperature }),
      ...(tools.length === 0 ? {} : { tools: [...tools], toolChoice }),
    }
  }

  async *#texts(pieces: AsyncIterable<TextChunk>): AsyncGenerator<string, void, undefined> {
    const characters = new WholeCharacters()
    for await (const piece of pieces) {
      if (piece.toolCalls) this.#calls.push(...piece.toolCalls)
      if (piece.finishReason !== undefined) this.#finishReason = piece.finishReason
      if (usageOf(piece)) this.#last = piece
      const text = characters.add(piece.text)
      if (text !== '') yield text
    }
    const rest = characters.rest()
    if (rest !== '') yield rest
  }

  /** One message of text, or of sound with its text. */
  async #say(texts: AsyncGenerator<string, void, undefined>): Promise<void> {
    const { modality } = this.#question.settings
    const isSpoken = modality === 'audio'
    const part: RealtimeConversationItemAssistantMessage.Content = isSpoken
      ? { type: 'output_audio', transcript: '' }
      : { type: 'output_text', text: '' }
    const item: AssistantItem = {
      wire: {
        id: idOf('item'),
        object: 'realtime.item',
        type: 'message',
        role: 'assistant',
        status: 'in_progress',
        content: [],
      },
      spoken: [],
    }
    const at = this.#begin(item)
    const { socket } = this.#context
    item.wire.content.push(part)
    socket.send({
      type: 'response.content_part.added',
      ...at,
      part: { type: modality, ...(isSpoken ? { transcript: '' } : { text: '' }) },
    })
    let text = ''
    let isWhole = false
    const written = told(texts, (delta) => {
      text += delta
      if (isSpoken) {
        part.transcript = heardOf(item, text)
        socket.send({ type: 'response.output_audio_transcript.delta', ...at, delta })
      } else {
        part.text = text
        socket.send({ type: 'response.output_text.delta', ...at, delta })
      }
    })
    try {
      if (isSpoken) await this.#speak(written, item.spoken ?? [], at)
      // A plugin may stop speaking before the text is over.
      for await (const _ of written) await socket.room()
      this.#abort.signal.throwIfAborted()
      isWhole = true
    } finally {
      if (isSpoken) {
        socket.send({ type: 'response.output_audio.done', ...at })
        socket.send({ type: 'response.output_audio_transcript.done', ...at, transcript: text })
      } else socket.send({ type: 'response.output_text.done', ...at, text })
      const done = isSpoken ? { transcript: text } : { text }
      socket.send({ type: 'response.content_part.done', ...at, part: { type: modality, ...done } })
      if (isSpoken) part.transcript = heardOf(item, text)
      item.wire.status = isWhole ? 'completed' : 'incomplete'
      this.#end(item, at.output_index)
    }
  }

  async #speak(texts: AsyncIterable<string>, spoken: Spoken[], at: Place): Promise<void> {
    const { exchange, mouth, socket } = this.#context
    const { directory, settings } = exchange
    const { voice, speed, outputFormat } = this.#question.settings
    const { signal } = this.#abort
    const name = mouth ?? directory.tts.active()
    if (name === undefined) throw noPlugin('speaks', 'tts')
    const target = await directory.tts.find(name)
    const { handle } = target
    const options = { signal, ...(speed === undefined ? {} : { speed }) }
    const voiceId = await voiceOf(target, voice, { signal, settings })
    const speak = (text: string): AsyncIterable<AudioChunk> => handle.synthesizeStream(text, voiceId, options)
    const resampler = new Resampler(speechRate, outputFormat.rate)
    const making: Making = {
      encoding: 'pcm',
      sampleRate: speechRate,
      isStreamed: true,
      mostSeconds: exchange.audioSeconds,
    }
    const isPlain = outputFormat.type === 'audio/pcm' && outputFormat.rate === speechRate
    for await (const pcm of encodeSpeech(sentencesSpoken(texts, speak, spoken), making, signal)) {
      const bytes = isPlain ? pcm : bytesOf(resampler.push(samplesOf(pcm, defaultFormat)), outputFormat)
      for (let start = 0; start < bytes.length; start += mostDeltaBytes) {
        signal.throwIfAborted()
        const delta = Buffer.from(bytes.subarray(start, start + mostDeltaBytes)).toString('base64')
        socket.send({ type: 'response.output_audio.delta', ...at, delta })
        await socket.room()
      }
    }
  }

  #call({ id, name, arguments: given }: ToolCall): void {
    const { socket } = this.#context
    const wire = {
      id: idOf('item'),
      object: 'realtime.item',
      type: 'function_call',
      call_id: id,
      name,
    } as const
    const text = JSON.stringify(given)
    const item: Item = { wire: { ...wire, status: 'in_progress', arguments: '' } }
    const { output_index } = this.#begin(item)
    const at = { response_id: this.id, item_id: wire.id, output_index, call_id: id }
    socket.send({ type: 'response.function_call_arguments.delta', ...at, delta: text })
    socket.send({ type: 'response.function_call_arguments.done', ...at, name, arguments: text })
    Object.assign(item.wire, { status: 'completed', arguments: text })
    this.#end(item, output_index)
  }

  #begin(item: Item): Place {
    const { socket } = this.#context
    const place = { response_id: this.id, output_index: this.#output.length }
    this.#output.push(item)
    socket.send({ type: 'response.output_item.added', ...place, item: item.wire })
    const { conversation } = this.#question
    if (conversation) {
      const previous = conversation.add(item)
      socket.send({ type: 'conversation.item.added', previous_item_id: previous, item: item.wire })
    }
    return { ...place, item_id: item.wire.id, content_index: 0 }
  }

  #end(item: Item, output_index: number): void {
    const { socket } = this.#context
    if (this.#question.conversation) socket.send({ type: 'conversation.item.done', item: item.wire })
    socket.send({ type: 'response.output_item.done', response_id: this.id, output_index, item: item.wire })
  }

  #shown(status: NonNullable<RealtimeResponse['status']>): RealtimeResponse {
    const { settings, conversation, metadata } = this.#question
    const { outputFormat, voice, modality, maxOutputTokens } = settings
    return {
      id: this.id,
      object: 'realtime.response',
      status,
      output: this.#output.map(({ wire }) => wire),
      output_modalities: [modality],
      max_output_tokens: maxOutputTokens,
      metadata: metadata ?? null,
      audio: { output: { format: formatShown(outputFormat), ...(voice === undefined ? {} : { voice }) } },
      ...(conversation ? { conversation_id: this.#context.conversationId } : {}),
    }
  }

  #usage(): Pick<RealtimeResponse, 'usage'> {
    const usage = usageOf(this.#last)
    if (!usage) return {}
    const { prompt_tokens: input, completion_tokens: output, total_tokens } = usage
    return {
      usage: {
        total_tokens,
        input_tokens: input,
        output_tokens: output,
        input_token_details: { text_tokens: input, audio_tokens: 0, cached_tokens: 0 },
        output_token_details: { text_tokens: output, audio_tokens: 0 },
      },
    }
  }
}

/** Where in an answer something stands. */
interface Place {
  response_id: string
  item_id: string
  output_index: number
  content_index: number
}

function noPlugin(does: string, contract: string): RequestError {
  const message = `No plugin that ${does} is loaded. Load one of the contract ${contract}`
  return new RequestError(404, message, { code: 'model_not_found' })
}

function nothingToAnswer(): RequestError {
  const message =
    'There is nothing to answer: nothing was said. Send conversation.item.create first, or give instructions'
  return new RequestError(400, message, { code: 'conversation_empty' })
}

async function* chained(
  first: string,
  rest: AsyncGenerator<string, void, undefined>,
): AsyncGenerator<string, void, undefined> {
  yield first
  yield* rest
}

async function* told(
  texts: AsyncGenerator<string, void, undefined>,
  tell: (text: string) => void,
): AsyncGenerator<string, void, undefined> {
  for await (const text of texts) {
    tell(text)
    yield text
  }
}

async function untilAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
