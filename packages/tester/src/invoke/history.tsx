import { useState } from 'preact/hooks'
import type { Clip } from '../form/clips.js'
import { bytes, duration } from '../parts/format.js'
import { askRunningConfig, withoutDefaults } from '../state/configs.js'
import { connected } from '../state/events.js'
import { plugins } from '../state/plugins.js'
import { type CopyFormat, copyFormats, filesOf } from './copy-as.js'
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
            <button
              type="button"
              class="small"
              disabled={connected.value === false}
              onClick={() => replay(run)}
            >
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
  const [files, setFiles] = useState<readonly Clip[]>([])
  const copy = async (format: CopyFormat): Promise<void> => {
    try {
      const text = copyFormats[format](await withConfig(invocation))
      await navigator.clipboard.writeText(text)
      setTold(text.length < longText ? 'Copied' : `Copied ${bytes(text.length)}`)
      setFiles(filesOf(invocation, format))
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
          const format = formats.find((name) => name === currentTarget.value)
          currentTarget.value = ''
          if (format) void copy(format)
        }}
      >
        <option value="">Copy as…</option>
        {formats.map((name) => (
          <option key={name}>{name}</option>
        ))}
      </select>
      <span class="quiet copied">
        <span role="status">{told}</span>
        {files.map(({ id, url, label }) => (
          <a key={id} href={url} download={label}>
            Save {label} beside it
          </a>
        ))}
      </span>
    </>
  )
}

/** Of a call that was made before the page was loaded, the plugin itself has to say what it runs with. */
async function withConfig(invocation: Invocation): Promise<Invocation> {
  if (invocation.config) return invocation
  const plugin = plugins.value?.find(({ name }) => name === invocation.plugin)
  const config = await askRunningConfig(invocation.plugin).catch(() => undefined)
  return plugin && config ? { ...invocation, config: withoutDefaults(plugin, config) } : invocation
}

const formats = Object.keys(copyFormats) as CopyFormat[]

/** From this length on, a person should know how much was copied. */
const longText = 10_000
