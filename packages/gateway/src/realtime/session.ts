import { withTrace } from '@appfactory/sdk'
import type { RawData, WebSocket } from 'ws'
import { audioFailure } from '../audio/failure.js'
import { boundedSeconds } from '../audio/jobs.js'
import { bytesOfBase64 } from '../base64.js'
import { parseObject } from '../body.js'
import { failureOf, gatewayClosing, RequestError, wrongMember } from '../errors.js'
import type { Exchange } from '../exchange.js'
import { Answer } from './answer.js'
import { Conversation, type Item, itemOf, untold } from './conversation.js'
import { Ears } from './ears.js'
import { type ClientEvent, type EventType, eventReaders, type GivenResponse } from './events.table.js'
import type { ModelNames } from './names.js'
import { answerSettings, type SessionSettings, shown, updated } from './settings.js'
import { EventSocket, idOf } from './socket.js'
import { secondsOf } from './sound.js'
import { type Listening, Turn } from './turn.js'

/** Events that may wait for their turn before no more are read, in bytes. */
const mostWaitingBytes = 4 * 1024 * 1024
/** What each of them takes beside its bytes. */
const eventBytes = 256

/** An event as it came. undefined: it is no text. */
interface Waiting {
  text: string | undefined
  bytes: number
}

type Readers = { [Type in EventType]: (event: object) => ClientEvent<Type> }
const readers: Readers = eventReaders

type Handlers = { [Type in EventType]: (event: ClientEvent<Type>) => Promise<void> | void }

/** A client that speaks and listens over a WebSocket: its buffer of sound, its conversation, and the answer under way. */
export class RealtimeSession {
  readonly #exchange: Exchange
  readonly #ws: WebSocket
  readonly #socket: EventSocket
  readonly #names: ModelNames
  readonly #id = idOf('sess')
  readonly #conversationId = idOf('conv')
  readonly #conversation = new Conversation()
  readonly #ears: Ears
  /** Sound whose transcript is not there yet. */
  readonly #unheard = new Set<{ cancel(): void }>()
  #settings: SessionSettings
  #answer: Answer | undefined
  /** Answers that are no part of the conversation. */
  readonly #asides = new Set<Answer>()
  /** How often somebody began to speak. */
  #beginnings = 0
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #isWorking = false
  #isClosing = false

  constructor(
    exchange: Exchange,
    ws: WebSocket,
    settings: SessionSettings,
    names: ModelNames,
    isBeta: boolean,
  ) {
    this.#exchange = exchange
    this.#ws = ws
    this.#settings = settings
    this.#names = names
    this.#socket = new EventSocket(ws, exchange.settings.limits, isBeta)
    this.#ears = new Ears(
      () => this.#settings,
      () => this.#listening(),
      {
        onStarted: (itemId, atMs) => this.#speechStarted(itemId, atMs),
        onStopped: (item_id, audio_end_ms) =>
          this.#socket.send({ type: 'input_audio_buffer.speech_stopped', item_id, audio_end_ms }),
        onCommitted: (turn, isDetected) => this.#committed(turn, isDetected),
      },
      exchange.audioSeconds,
    )
    ws.on('message', (data, isBinary) => this.#take(data, isBinary))
    ws.once('close', () => this.#drop())
    this.#socket.send({ type: 'session.created', session: shown(settings, this.#id) })
  }

  /** Ends the session as soon as no answer and no transcript is under way. */
  async finish(): Promise<void> {
    this.#isClosing = true
    if (this.#isIdle()) this.close()
  }

  /** Ends the session because the gateway ends. */
  close(): void {
    this.#socket.sendFailure(gatewayClosing(), undefined)
    this.#socket.close(1001, 'The gateway is being stopped')
    this.#drop()
  }

  readonly #handlers: Handlers = {
    'session.update': (event) => this.#update(event),
    'transcription_session.update': ({ session }) =>
      this.#update({ session: { ...session, type: 'transcription' } }),
    'input_audio_buffer.append': ({ audio }) => this.#ears.append(bytesOfBase64(audio, 'audio')),
    'input_audio_buffer.commit': () => this.#ears.commit(),
    'input_audio_buffer.clear': () => {
      this.#ears.clear()
      this.#socket.send({ type: 'input_audio_buffer.cleared' })
    },
    // Only sound that a server plays has such a buffer.
    'output_audio_buffer.clear': () => {},
    'conversation.item.create': ({ item, previousItemId }) => {
      const made = itemOf(item, 'item', (audio, path, target) => this.#hear(audio, path, target))
      this.#tellAdded(made, this.#conversation.add(made, previousItemId))
    },
    'conversation.item.retrieve': ({ itemId }) => {
      this.#socket.send({ type: 'conversation.item.retrieved', item: this.#conversation.get(itemId).wire })
    },
    'conversation.item.delete': ({ itemId }) => {
      this.#conversation.delete(itemId)
      this.#socket.send({ type: 'conversation.item.deleted', item_id: itemId })
    },
    'conversation.item.truncate': ({ itemId, audioEndMs, contentIndex = 0 }) => {
      this.#conversation.truncate(itemId, audioEndMs)
      this.#socket.send({
        type: 'conversation.item.truncated',
        item_id: itemId,
        content_index: contentIndex,
        audio_end_ms: audioEndMs,
      })
    },
    'response.create': ({ response = {} }) => this.#respond(response),
    'response.cancel': ({ responseId }) => this.#cancel(responseId),
  }

  #take(data: RawData, isBinary: boolean): void {
    const all = data instanceof ArrayBuffer ? Buffer.from(data) : [data].flat()
    const buffer = Array.isArray(all) ? Buffer.concat(all) : all
    const bytes = buffer.length + eventBytes
    this.#waiting.push({ text: isBinary ? undefined : buffer.toString('utf8'), bytes })
    this.#waitingBytes += bytes
    if (this.#waitingBytes > mostWaitingBytes) this.#ws.pause()
    // An event of a socket knows nothing of the request that has opened it.
    if (!this.#isWorking) void withTrace(this.#exchange.request.headers, () => this.#work())
  }

  /** One event after the other, in their order. */
  async #work(): Promise<void> {
    this.#isWorking = true
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      this.#waitingBytes -= next.bytes
      await this.#handle(next.text)
      // Who does not read gets no more answers.
      await this.#socket.room()
      if (this.#ws.isPaused && this.#waitingBytes <= mostWaitingBytes / 2) this.#ws.resume()
    }
    this.#isWorking = false
  }

  async #handle(text: string | undefined): Promise<void> {
    let id: string | undefined
    try {
      if (text === undefined) throw binaryFrame()
      const event = parseObject(text, 'The event')
      const { event_id, type }: { event_id?: unknown; type?: unknown } = event
      if (typeof event_id === 'string') id = event_id.slice(0, 200)
      if (this.#isClosing) throw gatewayClosing()
      if (!isEventType(type)) throw unknownType(type)
      await this.#dispatch(type, event)
    } catch (error) {
      this.#fail(error, id)
    }
  }

  async #dispatch<Type extends EventType>(type: Type, event: object): Promise<void> {
    await this.#handlers[type](readers[type](event))
  }

  #fail(error: unknown, eventId: string | undefined): void {
    const failure = failureOf(error)
    if (failure.status === 500) this.#exchange.report(error)
    this.#socket.sendFailure(failure, eventId)
  }

  async #update({ session }: ClientEvent<'session.update'>): Promise<void> {
    const next = updated(this.#settings, session)
    this.#settings = await this.#names.checked(next)
    this.#socket.send({ type: 'session.updated', session: shown(this.#settings, this.#id) })
  }

  #listening(): Listening {
    const { transcription } = this.#settings
    return {
      directory: this.#exchange.directory,
      ears: this.#names.ears(transcription?.model),
      transcription,
      onDelta: (item_id, delta) => {
        if (this.#settings.transcription)
          this.#socket.send({
            type: 'conversation.item.input_audio_transcription.delta',
            item_id,
            content_index: 0,
            delta,
          })
      },
    }
  }

  #speechStarted(item_id: string, audio_start_ms: number): void {
    this.#beginnings++
    this.#socket.send({ type: 'input_audio_buffer.speech_started', item_id, audio_start_ms })
    if (this.#settings.turnDetection?.interruptResponse) this.#answer?.cancel('turn_detected')
  }

  #committed(turn: Turn, isDetected: boolean): void {
    try {
      this.#exchange.spend()
      this.#takeTurn(turn, isDetected)
    } catch (error) {
      turn.cancel()
      this.#fail(error, undefined)
    }
  }

  #takeTurn(turn: Turn, isDetected: boolean): void {
    const { itemId, seconds } = turn
    const item: Item = {
      wire: {
        id: itemId,
        object: 'realtime.item',
        type: 'message',
        role: 'user',
        status: 'completed',
        content: [{ type: 'input_audio', transcript: untold }],
      },
    }
    const previous = this.#conversation.add(item)
    this.#socket.send({ type: 'input_audio_buffer.committed', item_id: itemId, previous_item_id: previous })
    this.#tellAdded(item, previous)
    const beginnings = this.#beginnings
    item.ready = this.#transcribed(item, 0, turn.end(), turn, seconds).then((text) => {
      // Who goes on speaking is not to be interrupted: the next silence is answered.
      const isLatest = beginnings === this.#beginnings
      if (isDetected && text !== '' && isLatest) this.#answerByItself()
    })
  }

  #answerByItself(): void {
    const { type, turnDetection } = this.#settings
    if (type !== 'realtime' || !turnDetection?.createResponse || this.#isClosing) return
    try {
      this.#respond({})
    } catch (error) {
      this.#fail(error, undefined)
    }
  }

  /** Sound in an item that a client makes. @throws RequestError. */
  #hear(base64: string, path: string, item: Item): void {
    const { inputFormat } = this.#settings
    const bytes = bytesOfBase64(base64, path)
    const seconds = this.#boundedSeconds(secondsOf(bytes, inputFormat), path)
    this.#exchange.spend()
    const index = Number(/\[(\d+)\]/.exec(path)?.[1] ?? 0)
    const turn = new Turn({ ...this.#listening(), onDelta: () => {} })
    const heard = this.#transcribed(item, index, turn.hear(bytes, inputFormat), turn, seconds)
    item.ready = Promise.all([item.ready, heard]).then(() => {})
  }

  #boundedSeconds(seconds: number, path: string): number {
    try {
      return boundedSeconds(seconds, this.#exchange.audioSeconds)
    } catch (error) {
      throw audioFailure(error, path)
    }
  }

  /** Waits for a transcript, and tells it. @returns The text; empty where there is none. */
  async #transcribed(
    item: Item,
    content_index: number,
    text: Promise<string>,
    unheard: { cancel(): void },
    seconds: number,
  ): Promise<string> {
    const base = 'conversation.item.input_audio_transcription' as const
    const at = { item_id: item.wire.id, content_index }
    this.#unheard.add(unheard)
    try {
      const transcript = (await text).trim()
      setTranscript(item, content_index, transcript)
      if (this.#settings.transcription)
        this.#socket.send({
          type: `${base}.completed`,
          ...at,
          transcript,
          usage: { type: 'duration', seconds: Math.round(seconds * 1000) / 1000 },
        })
      return transcript
    } catch (error) {
      const { type, code, message, param, status } = failureOf(error)
      if (status === 500) this.#exchange.report(error)
      this.#socket.send({
        type: `${base}.failed`,
        ...at,
        error: { type, message, ...(code === null ? {} : { code }), ...(param === null ? {} : { param }) },
      })
      return ''
    } finally {
      this.#unheard.delete(unheard)
      this.#endIfIdle()
    }
  }

  #tellAdded(item: Item, previous: string | null): void {
    this.#socket.send({ type: 'conversation.item.added', item: item.wire, previous_item_id: previous })
    this.#socket.send({ type: 'conversation.item.done', item: item.wire, previous_item_id: previous })
  }

  #respond(given: GivenResponse): void {
    if (this.#settings.type !== 'realtime')
      throw new RequestError(
        400,
        'A session of type "transcription" has no answers. Set session.type to "realtime"',
        {
          code: 'invalid_value',
          param: 'session.type',
        },
      )
    const settings = answerSettings<SessionSettings>(this.#settings, given, 'response')
    const { conversation, input, metadata } = given
    const isAside = conversation === 'none'
    if (!isAside && this.#answer && !this.#answer.isCancelled) throw alreadyAnswering()
    this.#exchange.spend()
    const items = input?.map((item, index) => this.#inputItem(item, `response.input[${index}]`))
    const answer = new Answer(
      {
        socket: this.#socket,
        exchange: this.#exchange,
        conversationId: this.#conversationId,
        model: settings.model,
        mouth: this.#names.mouth(),
      },
      {
        settings,
        messages: () => this.#conversation.messages(items),
        conversation: isAside ? undefined : this.#conversation,
        metadata,
        after: isAside ? undefined : this.#answer?.finished,
      },
    )
    if (isAside) this.#asides.add(answer)
    else this.#answer = answer
    void answer.finished.then(() => {
      this.#asides.delete(answer)
      if (this.#answer === answer) this.#answer = undefined
      this.#endIfIdle()
    })
  }

  /** An item of the input of one answer: a new one, or one of the conversation. */
  #inputItem(given: NonNullable<GivenResponse['input']>[number], path: string): Item {
    if (given.type === 'item_reference' && given.id !== undefined) return this.#conversation.get(given.id)
    return itemOf(given, path, (audio, place, item) => this.#hear(audio, place, item))
  }

  #cancel(id: string | undefined): void {
    const all = [...this.#asides, ...(this.#answer ? [this.#answer] : [])].filter((each) => !each.isCancelled)
    const answer = id === undefined ? all.at(-1) : all.find((each) => each.id === id)
    if (!answer)
      throw new RequestError(400, 'There is no answer under way that could be cancelled', {
        code: 'response_cancel_not_active',
      })
    answer.cancel('client_cancelled')
  }

  #isIdle(): boolean {
    return !this.#answer && this.#asides.size === 0 && this.#unheard.size === 0
  }

  #endIfIdle(): void {
    if (this.#isClosing && this.#isIdle()) this.close()
  }

  /** The client has gone, or has to: nothing goes on for it. */
  #drop(): void {
    this.#waiting = []
    this.#ears.close()
    for (const unheard of this.#unheard) unheard.cancel()
    for (const answer of [this.#answer, ...this.#asides]) answer?.cancel('client_cancelled')
  }
}

function setTranscript({ wire }: Item, index: number, transcript: string): void {
  const part = wire.type === 'message' && wire.role === 'user' ? wire.content[index] : undefined
  if (part) part.transcript = transcript
}

function isEventType(type: unknown): type is EventType {
  return typeof type === 'string' && Object.hasOwn(eventReaders, type)
}

function unknownType(type: unknown): RequestError {
  if (type === undefined) return wrongMember('type', 'is required')
  const named = typeof type === 'string' ? JSON.stringify(type.slice(0, 100)) : 'this'
  return wrongMember('type', `${named} is no event. There is ${Object.keys(eventReaders).join(', ')}`)
}

function binaryFrame(): RequestError {
  return new RequestError(
    400,
    'Events are JSON in frames of text; sound is base64 in input_audio_buffer.append',
    {
      code: 'invalid_json',
    },
  )
}

function alreadyAnswering(): RequestError {
  return new RequestError(400, 'An answer is under way. Wait for response.done, or send response.cancel', {
    code: 'conversation_already_has_active_response',
  })
}
