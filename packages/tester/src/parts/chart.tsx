import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { themeVersion } from '../state/theme.js'
import { clock, short } from './format.js'

export interface Line {
  label: string
  /** A colour of the style sheet: `--line-1`. */
  color: string
  values: readonly (number | null)[]
}

/** A moment that is marked. */
export interface Mark {
  /** As `x`. */
  at: number
  color: string
}

interface ChartProps {
  /** What it shows, for who can't see it; with the newest value. */
  label: string
  /** Seconds: since 1970, or since the beginning. */
  x: readonly number[]
  lines: readonly Line[]
  unit: string
  height: number
  /** Whether `x` is a time of day. */
  isTime: boolean
  marks?: readonly Mark[]
  /** Whether a line goes on where a value is missing. Default: false. */
  spansGaps?: boolean
}

/** A chart of lines over time. */
export function Chart({ label, x, lines, unit, height, isTime, marks = [], spansGaps = false }: ChartProps) {
  const holder = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  const marked = useRef(marks)
  marked.current = marks
  const version = themeVersion.value
  const shape = lines.map((line) => line.label).join()

  useEffect(() => {
    const element = holder.current
    if (!element) return
    const made = new uPlot(
      options(element, { lines, unit, height, isTime, spansGaps, marks: () => marked.current }),
      dataOf(x, lines),
      element,
    )
    plot.current = made
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }))
    observer.observe(element)
    return () => {
      observer.disconnect()
      made.destroy()
      plot.current = undefined
    }
  }, [shape, version, height, isTime])

  useEffect(() => {
    plot.current?.setData(dataOf(x, lines))
  }, [x, lines])

  return (
    <figure class="chart">
      <div ref={holder} role="img" aria-label={label} />
    </figure>
  )
}

function dataOf(x: readonly number[], lines: readonly Line[]): uPlot.AlignedData {
  return [[...x], ...lines.map(({ values }) => [...values])]
}

interface Looks {
  lines: readonly Line[]
  unit: string
  height: number
  isTime: boolean
  spansGaps: boolean
  marks(): readonly Mark[]
}

function options(
  element: HTMLElement,
  { lines, unit, height, isTime, spansGaps, marks }: Looks,
): uPlot.Options {
  const known = new Map<string, string>()
  const color = (name: string): string => {
    const found = known.get(name) ?? resolveColor(element, name)
    known.set(name, found)
    return found
  }
  const axis = {
    stroke: color('--quiet'),
    font: '11px system-ui',
    grid: { stroke: color('--edge'), width: 1 },
  }
  return {
    width: element.clientWidth || 300,
    height,
    legend: { show: false },
    cursor: { show: false },
    // The last label of the time needs room for its half.
    padding: [8, ({ width }) => (isTime && width > 200 ? 26 : 16), 0, 0],
    scales: { x: { time: isTime }, y: { range: (_, least, most) => yRange(least, most) } },
    axes: [
      {
        ...axis,
        size: 22,
        ticks: { show: false },
        space: 64,
        values: (_, ticks) => ticks.map((tick) => (isTime ? clock(tick * 1000) : `${tick} s`)),
      },
      {
        ...axis,
        size: (_, labels) => widthOf(labels),
        ticks: { show: false },
        space: unit === '' ? 18 : 26,
        ...(unit === '' ? { incrs: wholeSteps } : {}),
        values: (_, ticks) => ticks.map((tick) => `${short(tick)}${unit}`),
      },
    ],
    series: [
      {},
      ...lines.map(({ label, color: name }) => ({
        label,
        stroke: color(name),
        width: 1.5,
        points: { show: false },
        spanGaps: spansGaps,
      })),
    ],
    hooks: { draw: [(plot) => drawMarks(plot, marks(), color)] },
  }
}

/** Of an axis, in pixels. */
function widthOf(labels: readonly string[] | null): number {
  return 12 + 6.5 * Math.max(1, ...(labels ?? []).map((label) => label.length))
}

/** Of what is counted, there are no halves. */
const wholeSteps = [1, 10, 100, 1000, 10_000, 100_000].flatMap((step) => [step, 2 * step, 5 * step])

/** From zero, and never flat. */
function yRange(least: number | null, most: number | null): [number, number] {
  return [Math.min(0, least ?? 0), most ? most * 1.1 : 1]
}

function drawMarks(
  { ctx, bbox, scales, valToPos }: uPlot,
  marks: readonly Mark[],
  color: (name: string) => string,
): void {
  const { min = 0, max = 0 } = scales['x'] ?? {}
  ctx.save()
  ctx.lineWidth = 2
  ctx.setLineDash([4, 4])
  for (const mark of marks) {
    if (mark.at < (min ?? 0) || mark.at > (max ?? 0)) continue
    const at = valToPos(mark.at, 'x', true)
    ctx.strokeStyle = color(mark.color)
    ctx.beginPath()
    ctx.moveTo(at, bbox.top)
    ctx.lineTo(at, bbox.top + bbox.height)
    ctx.stroke()
  }
  ctx.restore()
}

/** The colour that a variable of the style sheet has in the theme that is shown. */
function resolveColor(element: HTMLElement, name: string): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${name})`
  element.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}
