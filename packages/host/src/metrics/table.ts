import { PluginStatus } from '@appfactory/sdk'
import type { Fallback } from '../fallback/fallback.js'
import type { Member } from '../fallback/member.js'
import { logLevels } from '../logs/levels.js'
import type { Slot } from '../slot/slot.js'
import type { Supervisor } from '../slot/supervisor.js'
import { histogramSamples } from './durations.js'
import type { LoopDelay } from './loop-delay.js'
import { outcomes } from './outcomes.js'
import type { FiguresByPlugin, MethodFigures, PluginFigures } from './plugin-figures.js'
import { type Family, prometheusText, type Sample } from './prometheus.js'
import type { Requests } from './requests.js'

/** What the metrics of a host are read from. */
export interface Measured {
  version: string
  requests: Requests
  figures: FiguresByPlugin
  /** Of the plugins that are loaded. */
  slots: readonly Slot[]
  fallbacks: readonly Fallback[]
  loopDelay: LoopDelay
}

export interface Metric extends Omit<Family, 'samples'> {
  /** The names of its labels, without `le` of a histogram. */
  labels: readonly string[]
  read(measured: Measured): Iterable<Sample>
}

/** One value, with the values of its labels in their order. */
type Value = readonly [value: number, ...labels: string[]]

/** All metrics of a host. */
export const metrics: readonly Metric[] = [
  metric(
    'appfactory_build_info',
    'gauge',
    'Versions of the host and of Node; always 1.',
    ['version', 'node_version'],
    ({ version }) => [[1, version, process.version]],
  ),
  metric(
    'appfactory_start_time_seconds',
    'gauge',
    'When the host’s process started, in seconds since 1970.',
    [],
    () => [[performance.timeOrigin / 1000]],
  ),
  metric('appfactory_host_memory_bytes', 'gauge', 'Resident memory of the host’s process.', [], () => [
    [process.memoryUsage.rss()],
  ]),
  metric(
    'appfactory_host_event_loop_delay_seconds',
    'gauge',
    'How late the host’s event loop was since the last reading: p50, p99 and max.',
    ['statistic'],
    ({ loopDelay }) => Object.entries(loopDelay.read() ?? {}).map(([name, seconds]) => [seconds, name]),
  ),
  metric(
    'appfactory_requests_total',
    'counter',
    'Requests that the host got: calls, streams, and what clients asked of the host itself.',
    [],
    ({ requests }) => [[requests.total]],
  ),
  metric(
    'appfactory_request_errors_total',
    'counter',
    'Requests that failed. Those that were cancelled are not among them.',
    [],
    ({ requests }) => [[requests.errors]],
  ),
  metric(
    'appfactory_plugin_status',
    'gauge',
    '1 for the status that the plugin has, 0 for the others.',
    ['plugin', 'status'],
    ({ slots }) =>
      slots.flatMap(({ name, status }) =>
        Object.values(PluginStatus).map((each): Value => [each === status ? 1 : 0, name, each]),
      ),
  ),
  metric(
    'appfactory_plugin_memory_bytes',
    'gauge',
    'Memory of the plugin’s processes, by their last health checks.',
    ['plugin'],
    ({ slots }) =>
      slots.flatMap(({ name, places }): Value[] => {
        const known = places.instances.flatMap(({ memoryMb }) => memoryMb ?? [])
        return known.length === 0 ? [] : [[Math.round(known.reduce((sum, mb) => sum + mb) * 1e6), name]]
      }),
  ),
  ofPlaces(
    'appfactory_place_up',
    '1 where this process of the plugin serves, 0 where it starts, has crashed or has failed.',
    ({ serving }) => (serving ? 1 : 0),
  ),
  ofPlaces(
    'appfactory_place_calls_in_flight',
    'Calls and streams that this process of the plugin is working on.',
    ({ instance }) => (instance ? instance.callsInFlight + instance.openStreams : 0),
  ),
  ofFallbacks(
    'appfactory_fallback_serving',
    'gauge',
    '1 for the plugin that gets the calls of the fallback, 0 for the others.',
    ({ serving }, { plugin }) => (plugin === serving ? 1 : 0),
  ),
  ofFallbacks(
    'appfactory_fallback_passed_over_total',
    'counter',
    'Calls that went on to another plugin of the fallback after this one had failed.',
    ({ passedOver }, { plugin }) => passedOver.get(plugin) ?? 0,
  ),
  metric(
    'appfactory_calls_total',
    'counter',
    'Calls that have ended. A stream is one call.',
    ['plugin', 'method', 'outcome'],
    ({ figures }) =>
      ofMethods(figures, (plugin, method, { outcomes: counts }) =>
        outcomes.map((outcome): Value => [counts[outcome], plugin, method, outcome]),
      ),
  ),
  {
    name: 'appfactory_call_duration_seconds',
    type: 'histogram',
    help: 'How long the plugin took for a call; for a stream, from its beginning to its end.',
    labels: ['plugin', 'method'],
    read: ({ figures }) =>
      ofMethods(figures, (plugin, method, durations) =>
        histogramSamples(
          [
            ['plugin', plugin],
            ['method', method],
          ],
          durations,
        ),
      ),
  },
  ofPlugins(
    'appfactory_calls_in_flight',
    'gauge',
    'Calls that the plugin is working on, without streams.',
    (figures) => figures.callsInFlight,
  ),
  ofPlugins('appfactory_streams_open', 'gauge', 'Streams that are open.', (figures) => figures.openStreams),
  metric('appfactory_sessions_open', 'gauge', 'Sessions that are open.', ['plugin'], ({ slots }) =>
    slots.map(({ name, router }) => [router.openSessions, name]),
  ),
  metric(
    'appfactory_calls_queued',
    'gauge',
    'Calls that wait for a start, a restart, a swap, or a process that takes another one.',
    ['plugin'],
    ({ slots }) => slots.map(({ name, router }) => [router.queuedCalls, name]),
  ),
  ofPlugins(
    'appfactory_plugin_crashes_total',
    'counter',
    'Times that the plugin’s process ended unasked.',
    (figures) => figures.crashes,
  ),
  ofPlugins(
    'appfactory_plugin_restarts_total',
    'counter',
    'Times that the plugin was started again after a crash.',
    (figures) => figures.restarts,
  ),
  metric(
    'appfactory_plugin_swaps_total',
    'counter',
    'Swaps of the plugin for another one, or for itself: succeeded or failed.',
    ['plugin', 'outcome'],
    ({ figures }) =>
      [...figures].flatMap(([plugin, { swaps }]) =>
        Object.entries(swaps).map(([outcome, count]): Value => [count, plugin, outcome]),
      ),
  ),
  metric(
    'appfactory_plugin_log_lines_total',
    'counter',
    'Messages that the plugin logged, of all levels.',
    ['plugin', 'level'],
    ({ figures }) =>
      [...figures].flatMap(([plugin, { logLines }]) =>
        logLevels.map((level): Value => [logLines[level], plugin, level]),
      ),
  ),
  ofPlugins(
    'appfactory_plugin_log_lines_dropped_total',
    'counter',
    'Lines that were not logged, because the plugin logged too many.',
    (figures) => figures.linesDropped,
  ),
  ofPlugins(
    'appfactory_plugin_noise_lines_total',
    'counter',
    'Lines on the plugin’s stdout that were not messages.',
    (figures) => figures.noise,
  ),
]

/** The metrics of a host, as Prometheus reads them. */
export function metricsText(measured: Measured): string {
  return prometheusText(metrics.map(({ read, ...family }) => ({ ...family, samples: read(measured) })))
}

function metric(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  labels: readonly string[],
  values: (measured: Measured) => readonly Value[],
): Metric {
  const read = (measured: Measured): Sample[] =>
    values(measured).map(([value, ...given]) => ({
      labels: labels.map((label, index) => [label, given[index] ?? '']),
      value,
    }))
  return { name, type, help, labels, read }
}

/** A metric with one value for each plugin that the host has had. */
function ofPlugins(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  read: (figures: PluginFigures) => number,
): Metric {
  return metric(name, type, help, ['plugin'], ({ figures }) =>
    [...figures].map(([plugin, each]) => [read(each), plugin]),
  )
}

/** A gauge with one value for each process that a loaded plugin is to have. */
function ofPlaces(name: string, help: string, read: (place: Supervisor) => number): Metric {
  return metric(name, 'gauge', help, ['plugin', 'place'], ({ slots }) =>
    slots.flatMap((slot) =>
      slot.places.all.map((place, index): Value => [read(place), slot.name, String(index + 1)]),
    ),
  )
}

/** A metric with one value for each plugin of each fallback. */
function ofFallbacks(
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  read: (fallback: Fallback, member: Member) => number,
): Metric {
  return metric(name, type, help, ['fallback', 'plugin'], ({ fallbacks }) =>
    fallbacks.flatMap((fallback) =>
      fallback.members.map((member): Value => [read(fallback, member), fallback.name, member.plugin]),
    ),
  )
}

/** Of the methods that were called at all. */
function ofMethods<Each>(
  figures: FiguresByPlugin,
  read: (plugin: string, method: string, figures: MethodFigures) => Each[],
): Each[] {
  return [...figures].flatMap(([plugin, each]) =>
    [...each.methods()].flatMap(([method, calls]) => (calls.isUsed ? read(plugin, method, calls) : [])),
  )
}
