import type { Sample } from '../api/types.js'
import type { Line } from '../parts/chart.js'
import { Facts } from '../parts/facts.js'
import { count, duration, figure, megabytes, uptime } from '../parts/format.js'
import { Status } from '../parts/status.js'
import { samples } from '../state/events.js'
import type { Happening } from './happenings.js'
import { marksOf, percentiles } from './marks.js'
import { Measure } from './measure.js'

/** How the host itself is: as well as the plugin that is worst off. */
function hostStatus(sample: Sample | undefined): string {
  const statuses = Object.values(sample?.plugins ?? {}).map(({ status }) => status)
  return ['ERROR', 'INITIALIZING', 'BUSY'].find((each) => statuses.includes(each)) ?? 'READY'
}

export function HostHealth({ happened }: { happened: readonly Happening[] }) {
  const all = samples.value
  const last = all.at(-1)
  const host = last?.host
  const x = all.map(({ at }) => at / 1000)
  const marks = marksOf(happened)
  const own = (label: string, color: string, pick: (sample: Sample) => number | undefined): Line => ({
    label,
    color,
    values: all.map((sample) => pick(sample) ?? null),
  })
  const field =
    (name: string) =>
    ({ host: then }: Sample): number | undefined =>
      figure(then, name)
  const now = (name: string): number | undefined => last && combined(last, name, sum)
  return (
    <section class="card" aria-labelledby="host-health">
      <div class="health-head">
        <h3 id="host-health">Host</h3>
        <Status status={hostStatus(last)} />
        <span class="quiet">{host?.['version']}</span>
        <Facts
          facts={[
            ['uptime', uptime(figure(host, 'uptime_seconds'))],
            [
              'plugins loaded',
              `${count(figure(host, 'plugins_loaded'))} of ${count(figure(host, 'plugins_total'))}`,
            ],
            ['requests', count(figure(host, 'requests_processed'))],
            ['errors', count(figure(host, 'errors'))],
          ]}
        />
      </div>
      <div class="charts">
        <Measure
          name="Latency, slowest plugin"
          unit=" ms"
          x={x}
          lines={percentiles.map((each, index) =>
            own(each, `--line-${index + 1}`, (sample) => combined(sample, `${each}_ms`, most)),
          )}
          marks={marks}
          empty="No calls yet."
        />
        <Measure
          name="Memory"
          unit=" MB"
          now={megabytes(figure(host, 'memory_mb'))}
          x={x}
          lines={[own('memory', '--line-1', field('memory_mb'))]}
          marks={marks}
        />
        <Measure
          name="Event-loop delay"
          unit=" ms"
          now={duration(figure(host, 'event_loop_delay_ms'))}
          x={x}
          lines={[own('delay', '--line-1', field('event_loop_delay_ms'))]}
          marks={marks}
        />
        <Measure
          name="Calls in flight"
          unit=""
          now={count(now('calls_in_flight') ?? 0)}
          x={x}
          lines={[own('calls', '--line-1', (sample) => combined(sample, 'calls_in_flight', sum) ?? 0)]}
          marks={marks}
        />
        <Measure
          name="Restarts"
          unit=""
          now={count(now('restarts') ?? 0)}
          x={x}
          lines={[own('restarts', '--line-2', (sample) => combined(sample, 'restarts', sum) ?? 0)]}
          marks={marks}
        />
        <Measure
          name="Noise"
          unit=""
          now={count(now('noise') ?? 0)}
          x={x}
          lines={[own('noise', '--line-2', (sample) => combined(sample, 'noise', sum) ?? 0)]}
          marks={marks}
        />
      </div>
    </section>
  )
}

/** One figure of all plugins together; undefined where none has it. */
function combined(
  { plugins: all }: Sample,
  name: string,
  combine: (values: readonly number[]) => number,
): number | undefined {
  const values = Object.values(all).flatMap(({ details }) => figure(details, name) ?? [])
  return values.length === 0 ? undefined : combine(values)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function most(values: readonly number[]): number {
  return Math.max(...values)
}
