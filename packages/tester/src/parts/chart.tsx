import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { themeVersion } from '../state/theme.js'

export interface Line {
  label: string
  /** A colour of the style sheet: `--line-1`. */
  color: string
  values: readonly (number | null)[]
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
  /** Moments that are marked. */
  marks?: readonly number[]
}

/** A chart of lines over time. */
export function Chart({ label, x, lines, unit, height, isTime, marks = [] }: ChartProps) {
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
      options(element, { lines, unit, height, isTime, marks: () => marked.current }),
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
  marks(): readonly number[]
}

function options(element: HTMLElement, { lines, unit, height, isTime, marks }: Looks): uPlot.Options {
  const color = (name: string): string => resolveColor(element, name)
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
    padding: [8, 8, 0, 0],
    scales: { x: { time: isTime }, y: { range: (_, least, most) => yRange(least, most) } },
    axes: [
      {
        ...axis,
        size: 22,
        ticks: { show: false },
        space: 56,
        values: (_, ticks) => ticks.map((tick) => (isTime ? timeOfDay(tick) : `${tick} s`)),
      },
      {
        ...axis,
        size: 52,
        ticks: { show: false },
        space: 28,
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
        spanGaps: true,
      })),
    ],
    hooks: { draw: [(plot) => drawMarks(plot, marks(), color('--busy'))] },
  }
}

/** From zero, and never flat. */
function yRange(least: number | null, most: number | null): [number, number] {
  return [Math.min(0, least ?? 0), most ? most * 1.1 : 1]
}

function timeOfDay(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB')
}

function short(value: number): string {
  if (value >= 10_000) return `${Math.round(value / 1000)}k`
  return String(Number(value.toPrecision(3)))
}

function drawMarks({ ctx, bbox, valToPos }: uPlot, marks: readonly number[], color: string): void {
  ctx.save()
  ctx.strokeStyle = color
  ctx.lineWidth = 2
  ctx.setLineDash([4, 4])
  for (const mark of marks) {
    const at = valToPos(mark, 'x', true)
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
