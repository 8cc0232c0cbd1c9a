/** Its own units: the style sheet gives it a size. */
const [width, height] = [100, 24]

interface SparklineProps {
  /** What it shows, for who can't see it. */
  label: string
  values: readonly (number | null)[]
}

/** The shape of the last minutes, without axes. */
export function Sparkline({ label, values }: SparklineProps) {
  const most = Math.max(1e-9, ...values.map((value) => value ?? 0))
  const x = (index: number): string => ((index * width) / Math.max(1, values.length - 1)).toFixed(1)
  const y = (value: number): string => (height - 1 - (value / most) * (height - 2)).toFixed(1)
  const points = values.flatMap((value, index) => (value === null ? [] : [`${x(index)},${y(value)}`]))
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <polyline points={points.join(' ')} />
    </svg>
  )
}
