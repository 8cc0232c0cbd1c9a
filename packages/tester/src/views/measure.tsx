import { Chart, type Line, type Mark } from '../parts/chart.js'

interface MeasureProps {
  name: string
  unit: string
  now: string
  /** Seconds since 1970, one for each value. */
  x: readonly number[]
  lines: readonly Line[]
  marks: readonly Mark[]
  /** What stands in place of the chart where there is no value yet. */
  empty?: string
}

/** One figure: what it is now, and its last minutes. */
export function Measure({ name, unit, now, x, lines, marks, empty = 'No figures yet.' }: MeasureProps) {
  const hasValues = lines.some(({ values }) => values.some((value) => value !== null))
  return (
    <div class="measure">
      <p class="measure-head">
        <span class="quiet">{name}</span> <b>{now}</b>
      </p>
      {lines.length > 1 && <Key lines={lines} />}
      {hasValues ? (
        <Chart
          label={`${name}, the last minutes; now ${now}`}
          x={x}
          lines={lines}
          unit={unit}
          height={lines.length > 1 ? 82 : 100}
          isTime
          marks={marks}
        />
      ) : (
        <p class="no-values quiet">{empty}</p>
      )}
    </div>
  )
}

/** Which colour is which. */
function Key({ lines }: { lines: readonly Line[] }) {
  return (
    <p class="keys">
      {lines.map(({ label, color }) => (
        <span class={`key ${color.replace('--', '')}`} key={label}>
          {label}
        </span>
      ))}
    </p>
  )
}
