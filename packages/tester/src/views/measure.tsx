import { Chart, type Line, type Mark } from '../parts/chart.js'
import { rounded } from '../parts/format.js'

interface MeasureProps {
  name: string
  unit: string
  /** What it is now, of one line; those of several say it themselves. */
  now?: string
  /** Seconds since 1970, one for each value. */
  x: readonly number[]
  lines: readonly Line[]
  marks: readonly Mark[]
  /** What stands in place of the chart where there is no value yet. */
  empty?: string
}

/** One figure: what it is now, and its last minutes. */
export function Measure({ name, unit, now = '', x, lines, marks, empty = 'No figures yet.' }: MeasureProps) {
  const hasValues = lines.some(({ values }) => values.some((value) => value !== null))
  const isCount = unit === ''
  return (
    <div class="measure">
      <p class="measure-head">
        <span class="quiet">{name}</span>{' '}
        {lines.length > 1 ? hasValues && <Key lines={lines} unit={unit} /> : <b>{now}</b>}
      </p>
      {hasValues ? (
        <Chart
          label={`${name}, the last minutes; now ${now || wordsOf(lines, unit)}`}
          x={x}
          lines={lines}
          unit={unit}
          height={heightOf(isCount, lines.length)}
          isTime
          marks={marks}
        />
      ) : (
        <p class="no-values quiet">{empty}</p>
      )}
    </div>
  )
}

/** What is counted needs less room; names of lines take some. */
function heightOf(isCount: boolean, lines: number): number {
  if (isCount) return 76
  return lines > 1 ? 82 : 100
}

/** Which colour is which, and what each is now. */
function Key({ lines, unit }: { lines: readonly Line[]; unit: string }) {
  return (
    <span class="keys">
      {lines.map((line) => (
        <span class={`key ${line.color.replace('--', '')}`} key={line.label}>
          {line.label} <b>{rounded(line.values.at(-1))}</b>
        </span>
      ))}
      <span class="quiet">{unit}</span>
    </span>
  )
}

function wordsOf(lines: readonly Line[], unit: string): string {
  return `${lines.map((line) => `${line.label} ${rounded(line.values.at(-1))}`).join(', ')}${unit}`
}
