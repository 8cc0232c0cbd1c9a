import type { ComponentChild } from 'preact'
import { useEffect, useId, useMemo, useRef, useState } from 'preact/hooks'
import type { LogLine } from '../api/types.js'
import { count, counted, exactClock } from '../parts/format.js'
import { saveText } from '../parts/save.js'
import { clearedSeq, clearLogs, droppedLines, logLines, logVersion } from '../state/logs.js'
import { plugins } from '../state/plugins.js'

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
          <Window lines={lines} showPlugin={plugin === undefined} wanted={text} onOpen={setOpen} />
        )}
        {shown && (
          <div class="log-detail">
            <p class="quiet">
              {exactClock(shown.at)} · {shown.plugin} · {shown.level.toLowerCase()}{' '}
              <button type="button" class="small" onClick={() => setOpen(undefined)}>
                Close
              </button>
            </p>
            <pre class="code">{shown.message}</pre>
          </div>
        )}
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

interface WindowProps {
  lines: readonly LogLine[]
  showPlugin: boolean
  /** What the lines were searched for. */
  wanted: string
  onOpen(line: LogLine): void
}

/** How far a key moves in the lines, given how many there are in sight. */
const moves: Record<string, (page: number) => number> = {
  ArrowUp: () => -1,
  ArrowDown: () => 1,
  PageUp: (page) => -page,
  PageDown: (page) => page,
  Home: () => Number.NEGATIVE_INFINITY,
  End: () => Number.POSITIVE_INFINITY,
}

function Window({ lines, showPlugin, wanted, onOpen }: WindowProps) {
  const scroller = useRef<HTMLDivElement>(null)
  const follows = useRef(true)
  const id = useId()
  const [top, setTop] = useState(0)
  const [isAtEnd, setAtEnd] = useState(true)
  /** The line that the keys have come to. */
  const [active, setActive] = useState<LogLine>()
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
    setAtEnd(follows.current)
    setTop(element.scrollTop)
  }

  const goToEnd = (): void => {
    follows.current = true
    scroller.current?.scrollTo({ top: lines.length * lineHeight })
  }

  const move = (by: number): void => {
    const from = active ? indexOfSeq(lines, active.seq) : Math.floor(top / lineHeight) - 1
    const index = Math.max(0, Math.min(lines.length - 1, from + by))
    setActive(lines[index])
    const element = scroller.current
    if (!element) return
    const at = index * lineHeight
    if (at < element.scrollTop) element.scrollTop = at
    const bottom = element.scrollTop + element.clientHeight
    if (at + lineHeight > bottom) element.scrollTop = at + lineHeight - element.clientHeight
  }

  const onKeyDown = (event: KeyboardEvent): void => {
    const by = moves[event.key]?.(Math.max(1, Math.floor(height / lineHeight) - 1))
    if (by !== undefined) move(by)
    else if ((event.key === 'Enter' || event.key === ' ') && active) onOpen(active)
    else return
    event.preventDefault()
  }

  const from = Math.max(0, Math.floor(top / lineHeight) - overscan)
  const to = Math.min(lines.length, Math.ceil((top + height) / lineHeight) + overscan)
  const shown = lines.slice(from, to)
  const isActiveShown = active !== undefined && shown.includes(active)
  return (
    <div class="log-frame">
      <div
        class="log-window"
        ref={scroller}
        onScroll={onScroll}
        onKeyDown={onKeyDown}
        tabIndex={0}
        role="listbox"
        aria-label="Log lines"
        aria-activedescendant={isActiveShown ? `${id}-${active.seq}` : undefined}
      >
        <div class="log-lines" role="presentation" style={{ height: `${lines.length * lineHeight}px` }}>
          <div role="presentation" style={{ transform: `translateY(${from * lineHeight}px)` }}>
            {shown.map((line, index) => (
              <Line
                key={line.seq}
                id={`${id}-${line.seq}`}
                line={line}
                place={[from + index + 1, lines.length]}
                isActive={line === active}
                showPlugin={showPlugin}
                wanted={wanted}
                onOpen={() => {
                  setActive(line)
                  onOpen(line)
                }}
              />
            ))}
          </div>
        </div>
      </div>
      {!isAtEnd && (
        <button type="button" class="small to-end" onClick={goToEnd}>
          Jump to the end ↓
        </button>
      )}
    </div>
  )
}

interface LineProps {
  id: string
  line: LogLine
  /** Its number, of how many. */
  place: readonly [number, number]
  isActive: boolean
  showPlugin: boolean
  wanted: string
  onOpen(): void
}

function Line({ id, line, place: [number, all], isActive, showPlugin, wanted, onOpen }: LineProps) {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the keys of all its lines
    <div
      id={id}
      role="option"
      // The list has the focus, and says which line is meant.
      tabIndex={-1}
      aria-selected={isActive}
      aria-posinset={number}
      aria-setsize={all}
      class={`log-line ${line.level.toLowerCase()}`}
      onClick={onOpen}
    >
      <span class="log-time">{exactClock(line.at)}</span>
      <span class="log-level">{line.level}</span>
      {showPlugin && <span class="log-plugin">{line.plugin}</span>}
      <span class="log-text">{marked(line.message, wanted)}</span>
    </div>
  )
}

/** A text with what was searched for in it. */
function marked(text: string, wanted: string): ComponentChild {
  if (wanted === '') return text
  const parts: ComponentChild[] = []
  const lower = text.toLowerCase()
  let from = 0
  for (
    let at = lower.indexOf(wanted.toLowerCase());
    at >= 0;
    at = lower.indexOf(wanted.toLowerCase(), from)
  ) {
    parts.push(text.slice(from, at), <mark>{text.slice(at, at + wanted.length)}</mark>)
    from = at + wanted.length
  }
  return [...parts, text.slice(from)]
}

function indexOfSeq(lines: readonly LogLine[], seq: number): number {
  let [low, high] = [0, lines.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((lines[middle]?.seq ?? 0) < seq) low = middle + 1
    else high = middle
  }
  return low
}
