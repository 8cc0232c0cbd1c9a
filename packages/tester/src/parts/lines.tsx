import type { ComponentChild } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import type { LogLine } from '../api/types.js'
import { exactClock } from './format.js'

/** Height of a line in pixels, as in the style sheet. */
const lineHeight = 22
/** Lines above and below the window that are there already. */
const overscan = 10

interface LinesProps {
  /** What they are, for who can't see them. */
  label: string
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

/** Lines, of which only those in the window are in the page, however many there are. */
export function Lines({ label, lines, showPlugin, wanted, onOpen }: LinesProps) {
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
        aria-label={label}
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

/** Where the line of that number, or the first after it, is. */
export function indexOfSeq(lines: readonly LogLine[], seq: number): number {
  let [low, high] = [0, lines.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((lines[middle]?.seq ?? 0) < seq) low = middle + 1
    else high = middle
  }
  return low
}

interface OpenLineProps {
  line: LogLine
  /** All that it says, to be read. */
  text: string
  onClose(): void
}

/** One line, whole, beside the others. */
export function OpenLine({ line: { at, plugin, level }, text, onClose }: OpenLineProps) {
  return (
    <div class="log-detail">
      <p class="quiet">
        {exactClock(at)} · {plugin} · {level.toLowerCase()}{' '}
        <button type="button" class="small" onClick={onClose}>
          Close
        </button>
      </p>
      <pre class="code">{text}</pre>
    </div>
  )
}
