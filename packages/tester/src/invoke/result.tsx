import { CallError } from '../api/rpc.js'
import type { JsonObject } from '../api/types.js'
import { Player } from '../audio/player.js'
import { Elapsed } from '../parts/elapsed.js'
import { bytes, count, counted, duration } from '../parts/format.js'
import { Problem } from '../parts/problem.js'
import { addressOf } from '../state/route.js'
import type { Run } from './run.js'
import { joinTexts, textOf } from './text.js'
import { areNumbers, likeness, vectorsIn } from './vectors.js'

/** What came, or is coming, of a call: sound, text, vectors, JSON, or an error. */
export function Result({ run }: { run: Run }) {
  const { state, error, pieces, result } = run
  return (
    <section class="card result" aria-label="Result" data-state={state}>
      <div class="result-head">
        <h3>Result</h3>
        <span class={`status ${tones[state]}`}>
          <span class="dot" aria-hidden="true" />
          <span role="status">{state}</span>
        </span>
        {state === 'running' && <Elapsed since={run.startedAt} />}
        <Figures run={run} />
      </div>
      <Cancelled run={run} />
      <Spoken run={run} />
      <Written run={run} />
      <Vectors run={run} />
      {state === 'failed' && <Problem error={error} />}
      {state !== 'failed' && <AsJson value={pieces.length > 0 ? { pieces, result } : result} state={state} />}
    </section>
  )
}

const tones: Record<Run['state'], string> = {
  running: 'busy',
  done: 'good',
  failed: 'bad',
  cancelled: 'wait',
}

/** What has become of a call that was to stop, in the plugin too. */
function Cancelled({ run: { state, cancelAskedAt, error, invocation, pieces } }: { run: Run }) {
  const reload = addressOf({ section: 'plugin', plugin: invocation.plugin })
  const { left, still_working: isStillWorking } = dataOf(error)
  if (state === 'running' && cancelAskedAt !== undefined)
    return (
      <p>
        The plugin was asked to stop <Elapsed since={cancelAskedAt} /> ago and has not answered. A plugin
        whose event loop hangs is killed by the host after a while.
      </p>
    )
  if (state === 'failed' && cancelAskedAt !== undefined)
    return <p>It was cancelled, and ended with an error:</p>
  if (state !== 'cancelled') return null
  return (
    <p>
      {isStillWorking ? (
        <>
          Cancelled, but the plugin is still working on it: its method ignores the signal.{' '}
          <a href={reload}>Reload the plugin</a> to end that.
        </>
      ) : left ? (
        <>You stopped waiting before the plugin had answered. It may still be working.</>
      ) : (
        <>Cancelled, and the plugin has stopped working on it.</>
      )}{' '}
      {pieces.length > 0 && 'What had arrived is below.'}
    </p>
  )
}

function dataOf(error: unknown): { left?: unknown; still_working?: unknown } {
  const data = error instanceof CallError ? error.data : undefined
  return typeof data === 'object' && data !== null ? data : {}
}

function Figures({ run }: { run: Run }) {
  const { pieces, firstPieceMs, totalMs, startedAt } = run
  const elapsed = totalMs ?? performance.now() - startedAt
  const perSecond = pieces.length / Math.max(0.001, elapsed / 1000)
  const figures: [string, string | undefined][] = [
    ['total', totalMs === undefined ? undefined : duration(totalMs)],
    ['first piece', firstPieceMs === undefined ? undefined : duration(firstPieceMs)],
    ['pieces', pieces.length === 0 ? undefined : count(pieces.length)],
    ['pieces/s', pieces.length === 0 ? undefined : perSecond.toFixed(1)],
  ]
  return (
    <dl class="figures">
      {figures
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}

/** Sound of the result, or of all pieces together. */
function Spoken({ run: { state, pieces, speech } }: { run: Run }) {
  if (state === 'running' && pieces.some((piece) => 'audio_b64' in piece))
    return <p class="quiet">Speech of {pieces.length} pieces has arrived…</p>
  return speech ? <Player clip={speech} /> : null
}

/** Text that streams in, or a transcript: what is final, and what may still change. */
function Written({ run: { pieces, result, state } }: { run: Run }) {
  const text = joinTexts(pieces)
  const final = pieces.findLast((piece) => typeof piece['final'] === 'string')?.['final']
  const partial = state === 'running' ? pieces.at(-1)?.['partial'] : undefined
  const whole = textOf(result)
  const shown = text || (typeof final === 'string' ? final : '') || whole || ''
  if (shown === '' && typeof partial !== 'string') return null
  return (
    <p class="written" aria-live="off" data-pieces={pieces.length}>
      {shown}
      {typeof partial === 'string' && <span class="partial"> {partial}</span>}
      {state === 'running' && <span class="caret" aria-hidden="true" />}
    </p>
  )
}

/** Pieces and vectors that are shown one by one. */
const mostShown = 100

/** Of vectors, nobody reads the numbers: which texts are alike is what they are for. */
function Vectors({ run: { result, invocation } }: { run: Run }) {
  const vectors = vectorsIn(result)
  const [first] = vectors
  if (first === undefined) return null
  const { texts } = invocation.args
  const textAt = (index: number): string =>
    Array.isArray(texts) && texts.length === vectors.length ? String(texts[index]) : `vector ${index + 1}`
  return (
    <>
      <p>
        {counted(vectors.length, 'vector')} of {counted(first.length, 'number')}
        {vectors.length > 1 && `. How much each is like the first (1: the same, 0: nothing in common):`}
      </p>
      {vectors.length > 1 && (
        <ol class="vectors">
          {vectors.slice(0, mostShown).map((vector, index) => (
            <li key={String(index)}>
              <b>{likeness(first, vector)?.toFixed(2) ?? '–'}</b> {textAt(index)}
            </li>
          ))}
        </ol>
      )}
    </>
  )
}

function AsJson({ value, state }: { value: unknown; state: Run['state'] }) {
  // While pieces arrive, writing all of them anew each time would keep the page busy.
  if (value === undefined || state === 'running') return null
  const pieces = isWithPieces(value) ? value.pieces.length : 0
  const shown = isWithPieces(value) ? { ...value, pieces: value.pieces.slice(0, mostShown) } : value
  return (
    <details class="fold" open={pieces === 0}>
      <summary>
        JSON
        {pieces > mostShown && ` (the first ${mostShown} of ${pieces} pieces)`}
      </summary>
      <pre class="code">{JSON.stringify(shown, shorten, 2)}</pre>
    </details>
  )
}

function isWithPieces(value: unknown): value is { pieces: JsonObject[]; result: unknown } {
  return typeof value === 'object' && value !== null && 'pieces' in value && Array.isArray(value.pieces)
}

/** Numbers of a vector that are shown. */
const mostNumbers = 8

function shorten(key: string, value: unknown): unknown {
  if (areNumbers(value) && value.length > 2 * mostNumbers)
    return [...value.slice(0, mostNumbers), `… (${value.length - mostNumbers} more numbers)`]
  if (typeof value !== 'string' || !key.endsWith('_b64') || value.length < 80) return value
  return `${value.slice(0, 24)}… (${bytes(Math.floor((value.length * 3) / 4))} in base64)`
}
