import { useState } from 'preact/hooks'
import { duration } from '../parts/format.js'
import { copyFormats } from './copy-as.js'
import { begin, history, type Invocation, type Run } from './run.js'

interface HistoryProps {
  plugin: string
  /** Puts the arguments back into the form. */
  onEdit(invocation: Invocation): void
  onShow(run: number): void
}

/** What was called before: see it, call it again, take it along. */
export function History({ plugin, onEdit, onShow }: HistoryProps) {
  const runs = history.value.filter(({ invocation }) => invocation.plugin === plugin)
  if (runs.length === 0) return null
  const show = (run: Run): void => {
    onEdit(run.invocation)
    onShow(run.id)
  }
  const replay = (run: Run): void => {
    onEdit(run.invocation)
    onShow(begin(run.invocation))
  }
  return (
    <section class="card" aria-label="History">
      <h3>History</h3>
      <ul class="history">
        {runs.map((run) => (
          <li key={run.id}>
            <span class={`dot ${tones[run.state]}`} role="img" aria-label={run.state} />
            <button type="button" class="plain" onClick={() => show(run)} title="Show it and its arguments">
              <code>{run.invocation.method.name}</code>
              <span class="quiet history-args">{JSON.stringify(run.invocation.args)}</span>
            </button>
            <span class="quiet">{duration(run.totalMs)}</span>
            <button type="button" class="small" onClick={() => replay(run)}>
              Replay
            </button>
            <CopyAs invocation={run.invocation} />
          </li>
        ))}
      </ul>
    </section>
  )
}

const tones: Record<Run['state'], string> = {
  running: 'busy',
  done: 'good',
  failed: 'bad',
  cancelled: 'wait',
}

function CopyAs({ invocation }: { invocation: Invocation }) {
  const [told, setTold] = useState('')
  const copy = async (name: string): Promise<void> => {
    const make = Object.entries(copyFormats).find(([each]) => each === name)?.[1]
    if (!make) return
    try {
      await navigator.clipboard.writeText(make(invocation))
      setTold('Copied')
    } catch {
      setTold('The browser does not let this page copy')
    }
  }
  return (
    <>
      <select
        class="small"
        aria-label={`Copy ${invocation.method.name} as`}
        value=""
        onChange={({ currentTarget }) => {
          const { value } = currentTarget
          currentTarget.value = ''
          void copy(value)
        }}
      >
        <option value="">Copy as…</option>
        {Object.keys(copyFormats).map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
      <span role="status" class="quiet">
        {told}
      </span>
    </>
  )
}
