import { useMemo } from 'preact/hooks'
import type { LoadReport } from '../api/types.js'
import { Chart } from '../parts/chart.js'
import { count, duration } from '../parts/format.js'
import { Tiles } from '../parts/tiles.js'

/** A report, of a run that goes on or has been stopped. */
export type RunReport = LoadReport & { stopped?: boolean }

/** Throughput and percentiles of a run, as they come. */
export function LoadResult({ reports }: { reports: readonly RunReport[] }) {
  const last = reports.at(-1)
  const curves = useMemo(() => curvesOf(reports), [reports])
  if (!last) return null
  const { all, swap, errors, first_error: firstError } = last
  const marks = swap ? [{ at: swap.at_ms / 1000, color: '--busy' }] : []
  const throughput = (last.answered * 1000) / Math.max(1, last.elapsed_ms)
  return (
    <section class="card" aria-label="Load result" data-done={last.done}>
      <div class="health-head">
        <h3>{last.done ? 'Result' : last.stopped ? 'Stopped' : 'Running'}</h3>
        <span class="quiet">{duration(last.elapsed_ms)}</span>
        {last.refused > 0 && <span class="refused wait">{count(last.refused)} refused</span>}
        <span class={`lost ${lossTone(last)}`} role="status">
          {count(last.lost)} lost
        </span>
      </div>
      <Tiles
        tiles={[
          ['calls/s', count(throughput)],
          ['answered', count(last.answered)],
          ['in flight', count(last.in_flight)],
          ['cancelled', count(last.cancelled)],
          ['p50', duration(all?.p50_ms)],
          ['p95', duration(all?.p95_ms)],
          ['p99', duration(all?.p99_ms)],
          ['longest', duration(all?.max_ms)],
        ]}
      />
      {swap && <p class={swap.state === 'failed' ? 'problem' : 'quiet'}>{swapText(swap)}</p>}
      {last.refused > 0 && last.answered === 0 && (
        <p>The plugin did not accept the arguments, so nothing was measured: correct them and start again.</p>
      )}
      {firstError !== null && (
        <p class="problem">
          {Object.entries(errors)
            .map(([name, times]) => `${name} × ${count(times)}`)
            .join(', ')}
          . The first: {firstError}
        </p>
      )}
      <div class="charts">
        <div class="measure">
          <p class="measure-head">
            <span class="quiet">Calls per second</span>
          </p>
          <Chart
            label={`Calls per second; now ${count(last.per_second)}`}
            x={curves.x}
            lines={[{ label: 'calls/s', color: '--line-1', values: curves.perSecond }]}
            unit=""
            height={180}
            isTime={false}
            marks={marks}
            spansGaps
          />
        </div>
        <div class="measure">
          <p class="measure-head">
            <span class="quiet">Latency</span>{' '}
            {['p50', 'p95', 'p99'].map((name, index) => (
              <span class={`key line-${index + 1}`} key={name}>
                {name}
              </span>
            ))}
          </p>
          <Chart
            label={`Latency in ms; p50 ${duration(all?.p50_ms)}, p99 ${duration(all?.p99_ms)}`}
            x={curves.x}
            lines={[
              { label: 'p50', color: '--line-1', values: curves.p50 },
              { label: 'p95', color: '--line-2', values: curves.p95 },
              { label: 'p99', color: '--line-3', values: curves.p99 },
            ]}
            unit=" ms"
            height={180}
            isTime={false}
            marks={marks}
            spansGaps
          />
        </div>
      </div>
    </section>
  )
}

/** Nothing lost is good news only where something was answered. */
function lossTone({ lost, answered }: RunReport): string {
  if (lost > 0) return 'bad'
  return answered > 0 ? 'good' : 'quiet'
}

function curvesOf(reports: readonly RunReport[]) {
  const shown = reports.filter(({ done, stopped }) => !done && !stopped)
  const of = (name: 'p50_ms' | 'p95_ms' | 'p99_ms') => shown.map(({ recent }) => recent?.[name] ?? null)
  return {
    x: shown.map(({ elapsed_ms: elapsed }) => elapsed / 1000),
    perSecond: shown.map(({ per_second: rate }) => rate),
    p50: of('p50_ms'),
    p95: of('p95_ms'),
    p99: of('p99_ms'),
  }
}

function swapText({
  state,
  to,
  duration_ms: ms,
  held_calls: held,
  message,
}: NonNullable<LoadReport['swap']>): string {
  if (state === 'under way') return `Swapping for ${to}…`
  if (state === 'failed') return `The swap for ${to} failed, and the old plugin serves: ${message}`
  return `Swapped for ${to} in ${duration(ms)}; ${count(held)} calls waited. The dashed line shows when.`
}
