import type { Health, Plugin } from '../api/types.js'
import type { Line } from '../parts/chart.js'
import { Facts } from '../parts/facts.js'
import { count, duration, figure, megabytes, uptime } from '../parts/format.js'
import { samples } from '../state/events.js'
import { addressOf } from '../state/route.js'
import type { Happening } from './happenings.js'
import { marksOf, percentiles } from './marks.js'
import { Measure } from './measure.js'

interface PluginHealthProps {
  plugin: Plugin
  happened: readonly Happening[]
}

/** All that is known of one plugin: its figures now, and their last minutes. */
export function PluginHealth({ plugin: { name }, happened }: PluginHealthProps) {
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
    <div class="plugin-health">
      <div class="health-head">
        <a href={addressOf({ section: 'plugin', plugin: name })}>Go to {name}</a>
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
        <Facts facts={placesOf(details)} />
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
    </div>
  )
}

/** Each of several processes, where there are several. */
function placesOf(details: Health['details'] | undefined): [name: string, what: string][] {
  const places = details?.['places']
  if (!Array.isArray(places)) return []
  return places.map(({ place, status, pid, calls_in_flight: calls = 0 }: Record<string, unknown>) => [
    `place ${place}`,
    pid === undefined ? `${status}` : `${status}, process ${pid}, ${calls} calls in flight`,
  ])
}
