import { computed, signal } from '@preact/signals'
import { sentencesOf } from '../../../sdk/src/sentences.js'
import { type Recording, record } from '../audio/microphone.js'
import { fileOf, type SpeechPart } from '../audio/speech.js'
import { Throttle } from '../parts/throttle.js'
import type { Role } from './candidates.js'
import { engineOf, instructions } from './choices.js'
import {
  type Engine,
  hearsInPieces,
  speakSentence,
  transcribe,
  transcribeLive,
  writeAnswer,
} from './engines.js'
import { microphoneProblem } from './microphone-problem.js'
import { Queue } from './queue.js'
import { Speaker } from './speaker.js'
import { tap } from './tap.js'
import { messagesOf, type Times, type Turn, withoutOld } from './turn.js'

/** Longest speech, in ms; then it is taken as finished. */
const longestSpeechMs = 120_000

/** The conversation, the oldest first. */
export const turns = signal<readonly Turn[]>([])
/** The microphone while it is on, and how to finish. */
export const microphone = signal<{ recording: Recording; finish(): void } | undefined>(undefined)
export const microphoneTrouble = signal<string | undefined>(undefined)

const speaker = new Speaker()
/** What is under way: a turn, or sound that is played again. */
const current = signal<AbortController | undefined>(undefined)
export const isBusy = computed(() => current.value !== undefined)

/** Ends what is under way, in the plugins too, and its sound. */
export function stop(): void {
  current.value?.abort()
  current.value = undefined
  speaker.silence()
}

export function clear(): void {
  stop()
  turns.value = []
}

/** Begins a turn with what was typed. */
export async function say(text: string): Promise<void> {
  await new LiveTurn(takeOver()).run(async (live) => {
    live.startClock(0)
    await answer(live, text)
  })
}

/** Begins a turn with what the microphone hears, until its `finish` is called. */
export async function listen(): Promise<void> {
  const stopping = takeOver()
  microphoneTrouble.value = undefined
  try {
    const recording = await record()
    if (stopping.signal.aborted) recording.discard()
    else await new LiveTurn(stopping).run((live) => hearAndAnswer(live, recording))
  } catch (error) {
    microphoneTrouble.value = microphoneProblem(error)
    release(stopping)
  }
}

/** Plays sound of a turn again. */
export async function playAgain(parts: readonly SpeechPart[]): Promise<void> {
  const stopping = takeOver()
  const file = fileOf(parts)
  try {
    if (file) await speaker.play(file, stopping.signal)
    await speaker.quiet()
  } finally {
    release(stopping)
  }
}

/** Ends what was under way for something new. */
function takeOver(): AbortController {
  stop()
  speaker.open()
  const stopping = new AbortController()
  current.value = stopping
  return stopping
}

function release(stopping: AbortController): void {
  if (current.value === stopping) current.value = undefined
}

let count = 0

/** A turn that is under way: the conversation shows what becomes of it. */
class LiveTurn {
  readonly signal: AbortSignal
  readonly #stopping: AbortController
  readonly #tell = new Throttle()
  #zero = performance.now()
  #turn: Turn

  constructor(stopping: AbortController) {
    this.#stopping = stopping
    this.signal = stopping.signal
    count += 1
    this.#turn = {
      id: count,
      state: 'answering',
      said: '',
      answer: '',
      model: engineOf('model')?.plugin.name,
      times: { listened: 0, sentences: [] },
      troubles: [],
      question: [],
      speech: [],
    }
    turns.value = withoutOld([...turns.value, this.#turn])
  }

  get turn(): Turn {
    return this.#turn
  }

  /** Begins to count the times of the turn. `listened`: how long somebody spoke, in ms. */
  startClock(listened: number): void {
    this.#zero = performance.now()
    this.time({ listened })
  }

  /** In ms since the clock was started. */
  now(at = performance.now()): number {
    return at - this.#zero
  }

  change(change: Partial<Turn>): void {
    this.#turn = { ...this.#turn, ...change }
    this.#tell.soon(() => this.#publish())
  }

  time(times: Partial<Times>): void {
    this.change({ times: { ...this.#turn.times, ...times } })
  }

  /** Remembers why a step failed, except if it was stopped. */
  fail(role: Role, plugin: string, error: unknown): void {
    if (!this.signal.aborted) this.change({ troubles: [...this.#turn.troubles, { role, plugin, error }] })
  }

  async run(work: (live: LiveTurn) => Promise<void>): Promise<void> {
    const onStop = (): void => this.#end('stopped')
    this.signal.addEventListener('abort', onStop)
    try {
      await work(this)
    } finally {
      this.signal.removeEventListener('abort', onStop)
      if (!this.signal.aborted) this.#end('done')
      release(this.#stopping)
    }
  }

  #end(state: 'done' | 'stopped'): void {
    this.#turn = { ...this.#turn, state }
    this.#publish()
  }

  #publish(): void {
    this.#tell.cancel()
    turns.value = withoutOld(turns.value.map((turn) => (turn.id === this.#turn.id ? this.#turn : turn)))
  }
}

async function hearAndAnswer(live: LiveTurn, recording: Recording): Promise<void> {
  const ears = engineOf('ears')
  if (!ears) return recording.discard()
  try {
    const said = await hear(live, ears, recording)
    if (said.trim() === '') throw new Error('It heard no words. Speak louder, or closer to the microphone.')
    await answer(live, said.trim())
  } catch (error) {
    live.fail('ears', ears.plugin.name, error)
  } finally {
    recording.discard()
  }
}

/** Listens until the microphone is switched off. Returns what was said. */
async function hear(live: LiveTurn, ears: Engine, recording: Recording): Promise<string> {
  live.change({ state: 'listening' })
  const begun = performance.now()
  const tapped = hearsInPieces(ears.plugin) ? await tap(recording.stream) : undefined
  const tell = (said: string): void => live.change({ said })
  const text = tapped && transcribeLive(ears, tapped, tell, live.signal)
  try {
    // Ears that fail are no reason to go on speaking.
    await Promise.race([untilFinished(live, recording), ...(text ? [text] : [])])
  } finally {
    microphone.value = undefined
    tapped?.close()
    live.startClock(performance.now() - begun)
  }
  live.signal.throwIfAborted()
  live.change({ state: 'hearing' })
  const recorded = recording.stop().catch(() => undefined)
  const said = await (text ?? transcribeAll(ears, await recorded, live.signal))
  live.time({ heard: live.now() })
  const wav = await recorded
  if (wav)
    live.change({ question: [{ bytes: wav, format: 'wav', sampleRate: undefined, channels: undefined }] })
  return said
}

function transcribeAll(ears: Engine, wav: Uint8Array | undefined, signal: AbortSignal): Promise<string> {
  if (!wav) throw new Error('The recording is empty. Hold the button while you speak.')
  return transcribe(ears, wav, signal)
}

/** Switches the microphone on for the page. Resolves when somebody has finished, or has stopped it. */
function untilFinished(live: LiveTurn, recording: Recording): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, longestSpeechMs)
    const finish = (): void => {
      clearTimeout(timer)
      resolve()
    }
    live.signal.addEventListener('abort', finish, { once: true })
    microphone.value = { recording, finish }
  })
}

/** Three at the same time: the model writes, the voice speaks what is written, the page plays what is spoken. */
async function answer(live: LiveTurn, said: string): Promise<void> {
  live.change({ said, state: 'answering' })
  const text = new Queue<string>()
  const sound = new Queue<SpeechPart>()
  await Promise.all([write(live, said, text), speak(live, text, sound), play(live, sound)])
}

async function write(live: LiveTurn, said: string, text: Queue<string>): Promise<void> {
  const tell = (piece: string): void => {
    if (piece === '') return
    if (live.turn.times.firstWord === undefined) live.time({ firstWord: live.now() })
    live.change({ answer: live.turn.answer + piece })
    text.push(piece)
  }
  const model = engineOf('model')
  const past = turns.value.filter(({ id }) => id !== live.turn.id)
  try {
    if (model) await writeAnswer(model, messagesOf(instructions.value, past, said), tell, live.signal)
    else tell(said)
    live.time({ lastWord: live.now() })
  } catch (error) {
    live.fail('model', model?.plugin.name ?? 'The echo', error)
  } finally {
    text.end()
  }
}

async function speak(live: LiveTurn, text: Queue<string>, sound: Queue<SpeechPart>): Promise<void> {
  const voice = engineOf('voice')
  const tell = (part: SpeechPart): void => {
    live.change({ speech: [...live.turn.speech, part] })
    sound.push(part)
  }
  try {
    for await (const sentence of voice ? sentencesOf(text) : []) {
      if (!voice || live.signal.aborted) return
      const from = live.now()
      await speakSentence(voice, sentence, tell, live.signal)
      live.time({ sentences: [...live.turn.times.sentences, { from, to: live.now() }] })
    }
  } catch (error) {
    live.fail('voice', voice?.plugin.name ?? '', error)
  } finally {
    sound.end()
  }
}

async function play(live: LiveTurn, sound: Queue<SpeechPart>): Promise<void> {
  try {
    for await (const part of sound) {
      const file = fileOf([part])
      const begins = file && (await speaker.play(file, live.signal))
      if (begins === undefined || live.turn.times.firstSound !== undefined) continue
      live.change({ state: 'speaking' })
      live.time({ firstSound: live.now(begins) })
    }
    await speaker.quiet()
    if (live.turn.times.firstSound !== undefined) live.time({ quiet: live.now() })
  } catch (error) {
    const voice = engineOf('voice')?.plugin.name ?? ''
    live.fail('voice', voice, new Error(`The browser can’t play this sound: ${String(error)}`))
  }
}
