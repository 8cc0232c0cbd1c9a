import type { ComponentChild } from 'preact'
import { useMemo, useRef, useState } from 'preact/hooks'
import type { LogLine } from '../api/types.js'
import { count, counted } from '../parts/format.js'
import { indexOfSeq, Lines, OpenLine } from '../parts/lines.js'
import { saveText } from '../parts/save.js'
import { clearedSeq, clearLogs, droppedLines, logLines, logVersion } from '../state/logs.js'
import { plugins } from '../state/plugins.js'

const levels = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL']

interface LogViewProps {
  heading: ComponentChild
  label: string
  /** Whose lines; all of them without it. */
  plugin?: string
}

/** Log lines as they come. */
export function LogView({ heading, label, plugin }: LogViewProps) {
  const [level, setLevel] = useState('DEBUG')
  const [text, setText] = useState('')
  const [of, setOf] = useState('')
  const [open, setOpen] = useState<LogLine>()
  /** The newest line when the log was paused. */
  const [pausedAt, setPausedAt] = useState<number>()
  const all = useFiltered(plugin ?? (of === '' ? undefined : of), level, text)
  const lines = pausedAt === undefined ? all : all.slice(0, indexOfSeq(all, pausedAt + 1))
  const isFiltered = text !== '' || level !== 'DEBUG' || of !== ''
  const shown = open && open.seq > clearedSeq.value ? open : undefined
  return (
    <section class="card log" aria-label={label}>
      <div class="log-head">
        {heading}
        {plugin === undefined && <PluginChoice value={of} onChange={setOf} />}
        <select
          aria-label="Least level"
          value={level}
          onChange={({ currentTarget }) => setLevel(currentTarget.value)}
        >
          {levels.map((each) => (
            <option key={each} value={each}>
              {each === 'DEBUG' ? 'all levels' : `${each.toLowerCase()} and above`}
            </option>
          ))}
        </select>
        <input
          type="search"
          placeholder="Filter ( / )"
          aria-label="Text in the line"
          value={text}
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
        <button
          type="button"
          class="small"
          aria-pressed={pausedAt !== undefined}
          onClick={() => setPausedAt(pausedAt === undefined ? (logLines.at(-1)?.seq ?? 0) : undefined)}
        >
          {pausedAt === undefined ? 'Pause' : `Resume (${count(all.length - lines.length)} new)`}
        </button>
        <button
          type="button"
          class="small"
          disabled={lines.length === 0}
          onClick={() => saveText(`${plugin ?? (of || 'plugins')}.log`, lines.map(asText).join(''))}
        >
          Download
        </button>
        <button type="button" class="small" onClick={clearLogs}>
          Clear
        </button>
        <span class="quiet">
          {counted(lines.length, 'line')}
          {droppedLines.value > 0 && `, ${count(droppedLines.value)} left out`}
        </span>
      </div>
      <div class={shown ? 'log-body split' : 'log-body'}>
        {lines.length === 0 ? (
          <p class="empty-log quiet">
            {isFiltered
              ? 'No line fits the filter.'
              : 'Nothing yet. What a plugin prints comes here: console.log is INFO, console.error is ERROR.'}
          </p>
        ) : (
          <Lines
            label="Log lines"
            lines={lines}
            showPlugin={plugin === undefined}
            wanted={text}
            onOpen={setOpen}
          />
        )}
        {shown && <OpenLine line={shown} text={shown.message} onClose={() => setOpen(undefined)} />}
      </div>
    </section>
  )
}

function PluginChoice({ value, onChange }: { value: string; onChange(plugin: string): void }) {
  const names = [...new Set((plugins.value ?? []).filter(({ valid }) => valid).map(({ name }) => name))]
  return (
    <select aria-label="Plugin" value={value} onChange={({ currentTarget }) => onChange(currentTarget.value)}>
      <option value="">all plugins</option>
      {names.map((name) => (
        <option key={name}>{name}</option>
      ))}
    </select>
  )
}

function asText({ at, level, plugin, message }: LogLine): string {
  return `${new Date(at).toISOString()} ${level} ${plugin} ${message}\n`
}

/** What a filter has let through so far. */
interface Found {
  key: string
  first: number
  seq: number
  lines: LogLine[]
}

/** The lines that fit. New ones are added to what was found before. */
function useFiltered(plugin: string | undefined, level: string, text: string): readonly LogLine[] {
  const version = logVersion.value
  const found = useRef<Found | undefined>(undefined)
  return useMemo(() => {
    const key = JSON.stringify([plugin, level, text])
    const least = levels.indexOf(level)
    const wanted = text.toLowerCase()
    const fits = (line: LogLine): boolean =>
      (plugin === undefined || line.plugin === plugin) &&
      levels.indexOf(line.level) >= least &&
      (wanted === '' || line.message.toLowerCase().includes(wanted))
    const first = logLines[0]?.seq ?? 0
    const before = found.current
    const goesOn = before?.key === key && before.first === first
    const fresh = goesOn ? logLines.slice(indexAfter(before.seq)) : logLines
    const lines = [...(goesOn ? before.lines : []), ...fresh.filter(fits)]
    found.current = { key, first, seq: logLines.at(-1)?.seq ?? 0, lines }
    return lines
  }, [plugin, level, text, version])
}

function indexAfter(seq: number): number {
  let index = logLines.length
  while (index > 0 && (logLines[index - 1]?.seq ?? 0) > seq) index -= 1
  return index
}
