import { RequestError } from '../errors.js'
import { bodyReader } from '../schema.js'
import { answerText } from './answering.js'
import {
  pingTable,
  selectTable,
  soundTable,
  speechTable,
  type TranscribeRequest,
  textTable,
  transcribeTable,
  transcriptTable,
} from './events.table.js'
import type { WyomingEvent } from './frames.js'
import { transcribeSound } from './hearing.js'
import { Queue } from './queue.js'
import { SoundCheck, type SoundChunk } from './sound.js'
import { saySomething } from './speaking.js'
import type { Talk } from './talk.js'

const readPing = bodyReader(pingTable)
const readSelect = bodyReader(selectTable)
const readSound = bodyReader(soundTable)
const readTranscribe = bodyReader(transcribeTable)
const readTranscript = bodyReader(transcriptTable)
const readSpeech = bodyReader(speechTable)
const readText = bodyReader(textTable)

/** A request whose sound or text comes in parts. */
interface Stream<Item> {
  input: Queue<Item>
  /** Fulfilled behind the last event of the answer. */
  done: Promise<void>
}

/** What one client asks for, one thing after the other. */
export class Dialogue {
  readonly #talk: Talk
  readonly #fail: (error: unknown) => void
  #asked: TranscribeRequest = {}
  #sound: Stream<SoundChunk> | undefined
  #check = new SoundCheck()
  #text: Stream<string> | undefined

  /** @param fail Told where a stream fails while its parts still come. */
  constructor(talk: Talk, fail: (error: unknown) => void) {
    this.#talk = talk
    this.#fail = fail
  }

  /** Whether no stream is under way. */
  get isIdle(): boolean {
    return !this.#sound && !this.#text
  }

  /** Answers an event. Those that mean nothing here are dropped, as the protocol says. @throws RequestError, PluginError. */
  async take({ type, data, payload }: WyomingEvent): Promise<void> {
    switch (type) {
      case 'describe':
        return this.#talk.send('info', await this.#talk.programs.info())
      case 'ping':
        return this.#talk.send('pong', { text: readPing(data).text ?? null })
      case 'select-program':
        this.#talk.selected = readSelect(data).name
        return
      case 'transcribe':
        this.#asked = readTranscribe(data)
        return
      case 'audio-start':
        return this.#beginSound(data)
      case 'audio-chunk':
        return this.#addSound({ ...readSound(data), audio: payload })
      case 'audio-stop':
        await finish(this.#sound, type)
        this.#sound = undefined
        return
      case 'synthesize':
        return this.#synthesize(data)
      case 'synthesize-start':
        return this.#beginText(data)
      case 'synthesize-chunk': {
        const { text } = readText(data)
        return add(this.#text, text, 2 * text.length, type)
      }
      case 'synthesize-stop':
        await finish(this.#text, type)
        this.#text = undefined
        return this.#talk.send('synthesize-stopped')
      case 'transcript':
        return answerText(this.#talk, readTranscript(data))
    }
  }

  #beginSound(data: object): void {
    readSound(data)
    if (this.#sound) throw unexpected('audio-start', 'the sound before it has no audio-stop')
    this.#check = new SoundCheck()
    this.#sound = this.#begin((chunks) => transcribeSound(this.#talk, this.#asked, chunks))
  }

  #addSound(chunk: SoundChunk): Promise<void> {
    this.#check.check(chunk)
    return add(this.#sound, chunk, chunk.audio.length, 'audio-chunk')
  }

  #beginText(data: object): void {
    const request = readSpeech(data)
    if (this.#text) throw unexpected('synthesize-start', 'the text before it has no synthesize-stop')
    this.#text = this.#begin((texts) => saySomething(this.#talk, texts, request))
  }

  /** In a stream, the whole text comes once more, for servers that know no streams. */
  async #synthesize(data: object): Promise<void> {
    if (!this.#text) await saySomething(this.#talk, readText(data).text, readSpeech(data))
  }

  #begin<Item>(answer: (items: AsyncIterable<Item>) => Promise<void>): Stream<Item> {
    const input = new Queue<Item>()
    // Nobody waits for room in what nobody reads.
    const done = answer(input).finally(() => input.end())
    done.catch(this.#fail)
    return { input, done }
  }
}

/** Resolves when there is room for more. */
async function add<Item>(
  stream: Stream<Item> | undefined,
  item: Item,
  bytes: number,
  type: string,
): Promise<void> {
  if (!stream) throw unexpected(type, 'nothing has been started')
  stream.input.push(item, bytes)
  await stream.input.room()
}

async function finish(stream: Stream<unknown> | undefined, type: string): Promise<void> {
  if (!stream) throw unexpected(type, 'nothing has been started')
  stream.input.end()
  await stream.done
}

function unexpected(type: string, reason: string): RequestError {
  return new RequestError(400, `${type} is out of order: ${reason}`, { code: 'unexpected_event' })
}
