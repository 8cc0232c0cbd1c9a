import type { ComponentChild } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { LogLine } from '../api/types.js'
import { clock, count } from '../parts/format.js'
import { clearLogs, droppedLines, logLines, logVersion } from '../state/logs.js'

const levels = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL']

/** Height of a line in pixels, as in the style sheet. */
const lineHeight = 22
/** Lines above and below the window that are there already. */
const overscan = 10

interface LogViewProps {
  heading: ComponentChild
  label: string
  /** Whose lines; all of them without it. */
  plugin?: string
}

/** Log lines as they come. Only those in the window are in the page, however many there are. */
export function LogView({ heading, label, plugin }: LogViewProps) {
  const [level, setLevel] = useState('DEBUG')
  const [text, setText] = useState('')
  const [open, setOpen] = useState<LogLine>()
  const lines = useFiltered(plugin, level, text)
  return (
    <section class="card log" aria-label={label}>
      <div class="log-head">
        {heading}
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
        <button type="button" class="small" onClick={clearLogs}>
          Clear
        </button>
        <span class="quiet">
          {count(lines.length)} {lines.length === 1 ? 'line' : 'lines'}
          {droppedLines.value > 0 && `, ${count(droppedLines.value)} left out`}
        </span>
      </div>
      {lines.length === 0 ? (
        <p class="empty-log quiet">
          {text !== '' || level !== 'DEBUG'
            ? 'No line fits the filter.'
            : 'Nothing yet. What a plugin prints comes here: console.log is INFO, console.error is ERROR.'}
        </p>
      ) : (
        <Window lines={lines} showPlugin={plugin === undefined} onOpen={setOpen} />
      )}
      {open && (
        <div class="log-detail">
          <p class="quiet">
            {clock(open.at)} · {open.plugin} · {open.level.toLowerCase()}{' '}
            <button type="button" class="small" onClick={() => setOpen(undefined)}>
              Close
            </button>
          </p>
          <pre class="code">{open.message}</pre>
        </div>
      )}
    </section>
  )
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

interface WindowProps {
  lines: readonly LogLine[]
  showPlugin: boolean
  onOpen(line: LogLine): void
}

function Window({ lines, showPlugin, onOpen }: WindowProps) {
  const scroller = useRef<HTMLDivElement>(null)
  const follows = useRef(true)
  const [top, setTop] = useState(0)
  const height = scroller.current?.clientHeight ?? 400

  // The end is followed for as long as it is in sight.
  useEffect(() => {
    const element = scroller.current
    if (element && follows.current) element.scrollTop = lines.length * lineHeight
  }, [lines])

  const onScroll = (): void => {
    const element = scroller.current
    if (!element) return
    follows.current = element.scrollTop + element.clientHeight >= element.scrollHeight - 2 * lineHeight
    setTop(element.scrollTop)
  }

  const from = Math.max(0, Math.floor(top / lineHeight) - overscan)
  const to = Math.min(lines.length, Math.ceil((top + height) / lineHeight) + overscan)
  return (
    <div
      class="log-window"
      ref={scroller}
      onScroll={onScroll}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse scrolls it with the arrow keys
      tabIndex={0}
      role="log"
      aria-live="off"
      aria-label="Log lines"
    >
      <div class="log-lines" style={{ height: `${lines.length * lineHeight}px` }}>
        <div style={{ transform: `translateY(${from * lineHeight}px)` }}>
          {lines.slice(from, to).map((line) => (
            <button
              type="button"
              tabIndex={-1}
              class={`log-line ${line.level.toLowerCase()}`}
              key={line.seq}
              onClick={() => onOpen(line)}
            >
              <span class="log-time">{clock(line.at)}</span>
              <span class="log-level">{line.level.slice(0, 5)}</span>
              {showPlugin && <span class="log-plugin">{line.plugin}</span>}
              <span class="log-text">{line.message}</span>
            </button>
          ))}
        </div>
      </div>
    </div>
  )
}
