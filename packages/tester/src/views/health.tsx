import type { Health, Plugin, Sample } from '../api/types.js'
import type { Line, Mark } from '../parts/chart.js'
import { count, duration, figure, megabytes, uptime } from '../parts/format.js'
import { Status } from '../parts/status.js'
import { samples, timeline } from '../state/events.js'
import { isRunning, plugins } from '../state/plugins.js'
import { addressOf } from '../state/route.js'
import { type Happening, happenings } from './happenings.js'
import { Measure } from './measure.js'
import { Timeline } from './timeline.js'

/** The Health Dashboard: how the host and its plugins are, and were in the last minutes. */
export function HealthView() {
  const running = (plugins.value ?? []).filter(isRunning)
  const happened = happenings(timeline.value)
  return (
    <>
      <header class="title">
        <h2>Health</h2>
        <p class="marks quiet">
          {Object.entries(markColors).map(([kind, color]) => (
            <span class={`key upright ${color.replace('--', '')}`} key={kind}>
              {kind}
            </span>
          ))}
        </p>
      </header>
      <HostHealth happened={happened} />
      {running.map((plugin) => (
        <PluginHealth
          plugin={plugin}
          key={plugin.name}
          happened={happened.filter(({ names }) => names.includes(plugin.name))}
        />
      ))}
      {running.length === 0 && (
        <p class="card quiet">
          No plugin is loaded. <a href={addressOf({ section: 'plugin' })}>Load one</a> to see how it does.
        </p>
      )}
      <Timeline happened={happened} />
    </>
  )
}

/** What is marked on the charts, and how. What comes first is drawn first: nothing may hide a crash. */
const markColors: Record<string, string> = { swap: '--busy', restart: '--wait', crash: '--bad' }

function marksOf(happened: readonly Happening[]): Mark[] {
  return Object.entries(markColors).flatMap(([wanted, color]) =>
    happened.flatMap(({ at, kind }) => (kind === wanted ? [{ at: at / 1000, color }] : [])),
  )
}

const percentiles = ['p50', 'p95', 'p99'] as const

/** How the host itself is: as well as the plugin that is worst off. */
function hostStatus(sample: Sample | undefined): string {
  const statuses = Object.values(sample?.plugins ?? {}).map(({ status }) => status)
  return ['ERROR', 'INITIALIZING', 'BUSY'].find((each) => statuses.includes(each)) ?? 'READY'
}

function HostHealth({ happened }: { happened: readonly Happening[] }) {
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

interface PluginHealthProps {
  plugin: Plugin
  happened: readonly Happening[]
}

function PluginHealth({ plugin: { name, status }, happened }: PluginHealthProps) {
  const all = samples.value
  const health = all.at(-1)?.plugins[name]
  const details = health?.details
  // A plugin that is younger than the host has the whole width for itself.
  const first = all.findIndex(({ plugins: then }) => then[name] !== undefined)
  const own = first < 0 ? [] : all.slice(first)
  const x = own.map(({ at }) => at / 1000)
  const marks = marksOf(happened)
  const line = (label: string, color: string, pick: (health: Health) => number | null | undefined): Line => ({
    label,
    color,
    values: own.map(({ plugins: then }) => {
      const was = then[name]
      return was ? (pick(was) ?? null) : null
    }),
  })
  const detail =
    (field: string) =>
    ({ details: then }: Health): number | undefined =>
      figure(then, field)
  const shared = { x, marks }
  const pid = figure(details, 'pid')
  return (
    <section class="card" aria-label={`Health of ${name}`}>
      <div class="health-head">
        <h3>
          <a href={addressOf({ section: 'plugin', plugin: name })}>{name}</a>
        </h3>
        <Status status={status} />
        <span class="quiet">{health?.message}</span>
        <Facts
          facts={[
            ['uptime', uptime(figure(details, 'uptime_seconds'))],
            ['process', pid === undefined ? '–' : String(pid)],
            ['answered', count(figure(details, 'calls_answered'))],
            ['failed', count(figure(details, 'calls_failed'))],
            ['streams', count(figure(details, 'open_streams'))],
            ['waiting', count(figure(details, 'queued_calls'))],
          ]}
        />
      </div>
      <div class="charts">
        <Measure
          name="Latency"
          unit=" ms"
          lines={percentiles.map((each, index) => line(each, `--line-${index + 1}`, detail(`${each}_ms`)))}
          {...shared}
          empty="No calls yet."
        />
        <Measure
          name="Memory"
          unit=" MB"
          now={megabytes(health?.memory_mb)}
          lines={[line('memory', '--line-1', ({ memory_mb: memory }) => memory)]}
          {...shared}
        />
        <Measure
          name="Event-loop delay"
          unit=" ms"
          now={duration(figure(details, 'event_loop_delay_ms'))}
          lines={[line('delay', '--line-1', detail('event_loop_delay_ms'))]}
          {...shared}
        />
        <Measure
          name="Calls in flight"
          unit=""
          now={count(figure(details, 'calls_in_flight'))}
          lines={[line('calls', '--line-1', detail('calls_in_flight'))]}
          {...shared}
        />
        <Measure
          name="Restarts"
          unit=""
          now={count(figure(details, 'restarts'))}
          lines={[line('restarts', '--line-2', detail('restarts'))]}
          {...shared}
        />
        <Measure
          name="Noise"
          unit=""
          now={count(figure(details, 'noise'))}
          lines={[line('noise', '--line-2', detail('noise'))]}
          {...shared}
        />
      </div>
    </section>
  )
}

/** Figures whose past tells nothing. */
function Facts({ facts }: { facts: readonly (readonly [string, string])[] }) {
  return (
    <dl class="figures">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
