import { computed } from '@preact/signals'
import type { Health, Plugin, Sample } from '../api/types.js'
import { Chart, type Line } from '../parts/chart.js'
import { count, duration, figure, megabytes, milliseconds, uptime } from '../parts/format.js'
import { Status } from '../parts/status.js'
import { samples } from '../state/events.js'
import { isRunning, plugins } from '../state/plugins.js'
import { addressOf } from '../state/route.js'
import { Timeline } from './timeline.js'

const times = computed(() => samples.value.map(({ at }) => at / 1000))
const restartMarks: readonly number[] = []

/** The Health Dashboard: how the host and its plugins are, and were in the last minutes. */
export function HealthView() {
  const running = (plugins.value ?? []).filter(isRunning)
  return (
    <>
      <h2>Health</h2>
      <HostHealth />
      {running.map((plugin) => (
        <PluginHealth plugin={plugin} key={plugin.name} />
      ))}
      {running.length === 0 && (
        <p class="card quiet">
          No plugin is loaded. <a href={addressOf({ section: 'plugin' })}>Load one</a> to see how it does.
        </p>
      )}
      <Timeline />
    </>
  )
}

function HostHealth() {
  const host = samples.value.at(-1)?.host
  return (
    <section class="card" aria-labelledby="host-health">
      <div class="health-head">
        <h3 id="host-health">Host</h3>
        <span class="quiet">{host?.['version']}</span>
      </div>
      <Tiles
        tiles={[
          ['uptime', uptime(figure(host, 'uptime_seconds'))],
          [
            'plugins loaded',
            `${count(figure(host, 'plugins_loaded'))} of ${count(figure(host, 'plugins_total'))}`,
          ],
          ['requests', count(figure(host, 'requests_processed'))],
          ['errors', count(figure(host, 'errors'))],
        ]}
      />
      <div class="charts">
        <Measure
          name="Memory"
          unit=" MB"
          now={megabytes(figure(host, 'memory_mb'))}
          lines={[hostLine('memory_mb')]}
        />
        <Measure
          name="Event-loop delay"
          unit=" ms"
          now={duration(figure(host, 'event_loop_delay_ms'))}
          lines={[hostLine('event_loop_delay_ms')]}
        />
      </div>
    </section>
  )
}

function PluginHealth({ plugin: { name, status } }: { plugin: Plugin }) {
  const health = samples.value.at(-1)?.plugins[name]
  const details = health?.details
  const line = (label: string, color: string, pick: (health: Health) => number | null | undefined): Line => ({
    label,
    color,
    values: samples.value.map(({ plugins: all }) => {
      const then = all[name]
      return then ? (pick(then) ?? null) : null
    }),
  })
  const detail =
    (field: string) =>
    ({ details: then }: Health): number | undefined =>
      figure(then, field)
  return (
    <section class="card" aria-label={`Health of ${name}`}>
      <div class="health-head">
        <h3>
          <a href={addressOf({ section: 'plugin', plugin: name })}>{name}</a>
        </h3>
        <Status status={status} />
        <span class="quiet">{health?.message}</span>
      </div>
      <Tiles
        tiles={[
          ['uptime', uptime(figure(details, 'uptime_seconds'))],
          ['process', figure(details, 'pid') === undefined ? '–' : String(figure(details, 'pid'))],
          ['answered', count(figure(details, 'calls_answered'))],
          ['failed', count(figure(details, 'calls_failed'))],
          ['restarts', count(figure(details, 'restarts'))],
          ['noise', count(figure(details, 'noise'))],
          ['streams', count(figure(details, 'open_streams'))],
          ['waiting', count(figure(details, 'queued_calls'))],
        ]}
      />
      <div class="charts">
        <Measure
          name="p50 · p95 · p99"
          unit=" ms"
          now={milliseconds(['p50_ms', 'p95_ms', 'p99_ms'].map((each) => figure(details, each)))}
          lines={[
            line('p50', '--line-1', detail('p50_ms')),
            line('p95', '--line-2', detail('p95_ms')),
            line('p99', '--line-3', detail('p99_ms')),
          ]}
        />
        <Measure
          name="Memory"
          unit=" MB"
          now={megabytes(health?.memory_mb)}
          lines={[line('memory', '--line-1', ({ memory_mb: memory }) => memory)]}
        />
        <Measure
          name="Event-loop delay"
          unit=" ms"
          now={duration(figure(details, 'event_loop_delay_ms'))}
          lines={[line('delay', '--line-1', detail('event_loop_delay_ms'))]}
        />
        <Measure
          name="Calls in flight"
          unit=""
          now={count(figure(details, 'calls_in_flight'))}
          lines={[line('calls', '--line-1', detail('calls_in_flight'))]}
        />
      </div>
    </section>
  )
}

function hostLine(field: string): Line {
  return {
    label: field,
    color: '--line-1',
    values: samples.value.map(({ host }: Sample) => figure(host, field) ?? null),
  }
}

function Measure({
  name,
  unit,
  now,
  lines,
}: {
  name: string
  unit: string
  now: string
  lines: readonly Line[]
}) {
  return (
    <div class="measure">
      <p class="measure-head">
        <span class="quiet">{name}</span> <b>{now}</b>
      </p>
      <Chart
        label={`${name}, the last minutes; now ${now}`}
        x={times.value}
        lines={lines}
        unit={unit}
        height={110}
        isTime
        marks={restartMarks}
      />
    </div>
  )
}

export function Tiles({ tiles }: { tiles: readonly (readonly [string, string])[] }) {
  return (
    <dl class="tiles">
      {tiles.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
