import { type Signal, signal } from '@preact/signals'
import { CallError, call } from '../api/rpc.js'
import type { JsonObject, Method } from '../api/types.js'
import { endingOf } from '../audio/format.js'
import { fileOf, type SpeechPart } from '../audio/speech.js'
import {
  addClip,
  type Clip,
  clipHolders,
  clipOf,
  clipsToSave,
  fromBase64,
  lastSpeech,
  restoreClips,
  withBytes,
} from '../form/clips.js'
import { kindOf, resolve } from '../form/schema.js'
import { Throttle } from '../parts/throttle.js'
import { persist } from '../state/persist.js'
import { drafts } from './drafts.js'

/** What is called. */
export interface Invocation {
  plugin: string
  pluginsDir: string
  method: Method
  args: JsonObject
  /** What the plugin was loaded with; undefined where this page does not know. */
  config: JsonObject | undefined
  /** In ms; undefined: the host's own. */
  timeout: number | undefined
  /** Whether a stream method answers in pieces. */
  inPieces: boolean
}

/** One call, from its beginning to what came of it. */
export interface Run {
  id: number
  invocation: Invocation
  startedAt: number
  state: 'running' | 'done' | 'failed' | 'cancelled'
  /** When the plugin was asked to stop, as `performance.now()`. */
  cancelAskedAt: number | undefined
  pieces: readonly JsonObject[]
  result: unknown
  error: unknown
  firstPieceMs: number | undefined
  totalMs: number | undefined
  /** What was said, all pieces together. */
  speech: Clip | undefined
  /** Asks the plugin to stop, and waits for its answer; the second time, stops waiting. */
  cancel(): void
}

const keptRuns = 50
/** REQUEST_CANCELLED. */
const cancelledCode = -32800
/** Most pieces that an input is sent in: as many as may be on their way. */
const mostPieces = 60
const leastPieceBytes = 8000

/** All calls of this page, the newest first. */
export const history: Signal<readonly Run[]> = signal([])
clipHolders.push(() => history.value.map(({ invocation, speech }) => [invocation.args, speech?.id]))

let count = 0

/** A call as it is kept over a reload of the page. */
type SavedRun = Pick<Run, 'state' | 'firstPieceMs' | 'totalMs' | 'result' | 'pieces'> & {
  /** Without the configuration: it may have secrets. */
  invocation: Omit<Invocation, 'config'>
  error?: { message: string; code?: number | undefined; data?: unknown }
}

persist(
  'clips',
  (room) => clipsToSave([[...drafts.values()], history.value.map(({ invocation }) => invocation.args)], room),
  restoreClips,
)
persist('history', savedRuns, (runs) => {
  // The oldest first: the last speech is that of the newest.
  for (const run of [...runs].reverse()) history.value = [restored(run), ...history.value]
})

/** The newest calls; those that do not fit with their results, without them. */
function savedRuns(room: number): SavedRun[] {
  let left = room - 2
  const fitting: SavedRun[] = []
  for (const run of history.value) {
    const whole = savedRun(run)
    const bare = { ...whole, pieces: [], result: undefined }
    const kept = [whole, bare].find((each) => JSON.stringify(each).length < left)
    if (!kept) break
    left -= JSON.stringify(kept).length + 1
    fitting.push(kept)
  }
  return fitting
}

function savedRun({ invocation, state, pieces, result, error, firstPieceMs, totalMs }: Run): SavedRun {
  const { config: _secret, ...rest } = invocation
  // A call ends with its page.
  const left = { message: 'The page was left.', code: cancelledCode, data: { left: true } }
  const problem = state === 'running' ? left : error instanceof CallError ? wordsOf(error) : undefined
  return {
    invocation: rest,
    state: state === 'running' ? 'cancelled' : state,
    pieces,
    result,
    firstPieceMs,
    totalMs,
    ...(problem ? { error: problem } : {}),
  }
}

function wordsOf({ message, code, data }: CallError): NonNullable<SavedRun['error']> {
  return { message, code, data }
}

function restored({ error, invocation, ...rest }: SavedRun): Run {
  const whole = { ...invocation, config: undefined, timeout: invocation.timeout }
  return {
    ...rest,
    id: ++count,
    invocation: whole,
    startedAt: 0,
    cancelAskedAt: undefined,
    error: error && new CallError(error.message, error.code, error.data),
    speech: speechOf(whole, [...rest.pieces, rest.result]),
    cancel: () => {},
  }
}

/** Begins a call. What becomes of it is told in `history`. */
export function begin(invocation: Invocation): number {
  const leaving = new AbortController()
  const key = crypto.randomUUID()
  const id = ++count
  const cancel = (): void => {
    const isAsked = history.value.find((each) => each.id === id)?.cancelAskedAt !== undefined
    if (isAsked) leaving.abort()
    else askToStop(id, key, leaving)
  }
  const run: Run = {
    id,
    invocation,
    startedAt: performance.now(),
    state: 'running',
    cancelAskedAt: undefined,
    pieces: [],
    result: undefined,
    error: undefined,
    firstPieceMs: undefined,
    totalMs: undefined,
    speech: undefined,
    cancel,
  }
  history.value = [run, ...history.value].slice(0, keptRuns)
  void finish(run, key, leaving.signal)
  return id
}

/** The answer to the call then tells whether the plugin has stopped. A call that has not arrived there ends with its connection. */
function askToStop(id: number, key: string, leaving: AbortController): void {
  update(id, { cancelAskedAt: performance.now() })
  call<boolean>('call/cancel', { key }).then(
    (isKnown) => isKnown || leaving.abort(),
    () => leaving.abort(),
  )
}

async function finish({ id, invocation, startedAt }: Run, key: string, leave: AbortSignal): Promise<void> {
  const { plugin, method, timeout, inPieces } = invocation
  const elapsed = (): number => performance.now() - startedAt
  const { args, input } = prepare(invocation)
  const stream = method.kind === 'stream' && inPieces
  const pieces: JsonObject[] = []
  const tell = new Throttle()
  let firstPieceMs: number | undefined
  const end = (change: Partial<Run>): void => {
    tell.cancel()
    const totalMs = elapsed()
    const speech = speechOf(invocation, [...pieces, change.result])
    update(id, { ...change, firstPieceMs, pieces, totalMs, speech })
  }
  try {
    const result = await call(
      'plugin/call',
      {
        plugin,
        method: method.name,
        args,
        key,
        ...(timeout ? { timeout } : {}),
        ...(stream ? { stream } : {}),
      },
      {
        signal: leave,
        input,
        onPieces: (fresh) => {
          firstPieceMs ??= elapsed()
          for (const piece of fresh) pieces.push(asObject(piece))
          tell.soon(() => update(id, { firstPieceMs, pieces: [...pieces] }))
        },
      },
    )
    end({ state: 'done', result })
  } catch (error) {
    const isCancelled = error instanceof CallError && error.code === cancelledCode
    end({ state: isCancelled ? 'cancelled' : 'failed', error })
  }
}

/** The arguments with their bytes; sound that can be sent piece by piece is. */
function prepare({ method, args, inPieces }: Invocation): { args: unknown; input: readonly unknown[] } {
  const { input, args: schema } = method
  const property = schema.properties?.[input ?? ''] ?? {}
  const isBytes = kindOf(resolve(property, schema)) === 'bytes'
  const clip = input !== null && isBytes ? clipOf(args[input]) : undefined
  if (input === null || !clip || !inPieces) return { args: withBytes(args, schema), input: [] }
  // Whole bytes of base64: three of them are four characters.
  const size = Math.ceil(Math.max(leastPieceBytes, clip.bytes.length / mostPieces) / 3) * 4
  const pieces = clip.base64.match(new RegExp(`.{1,${size}}`, 'g')) ?? []
  return { args: { ...withBytes(args, schema), [input]: { $input: true } }, input: pieces }
}

/** Makes a clip of the sound in answers, if there is any. */
function speechOf({ plugin, method }: Invocation, answers: readonly unknown[]): Clip | undefined {
  const file = fileOf(answers.flatMap((each) => partOf(each) ?? []))
  if (!file) return undefined
  const speech = addClip(`${plugin}-${method.name}.${endingOf(file) ?? 'bin'}`, file)
  lastSpeech.value = speech
  return speech
}

export function partOf(answer: unknown): SpeechPart | undefined {
  const { audio_b64: audio, format, sample_rate: sampleRate, channels } = asObject(answer ?? {})
  if (typeof audio !== 'string') return undefined
  return {
    bytes: fromBase64(audio),
    format: typeof format === 'string' ? format : undefined,
    sampleRate: typeof sampleRate === 'number' ? sampleRate : undefined,
    channels: typeof channels === 'number' ? channels : undefined,
  }
}

function update(id: number, change: Partial<Run>): void {
  history.value = history.value.map((run) => (run.id === id ? { ...run, ...change } : run))
}

function asObject(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null ? { ...value } : { value }
}
