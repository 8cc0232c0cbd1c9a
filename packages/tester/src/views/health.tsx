import type { Health, Plugin } from '../api/types.js'
import { count, counted, duration, figure, megabytes } from '../parts/format.js'
import { Sparkline } from '../parts/sparkline.js'
import { Status } from '../parts/status.js'
import { useKept } from '../parts/use-kept.js'
import { samples, timeline } from '../state/events.js'
import { isRunning, plugins } from '../state/plugins.js'
import { addressOf } from '../state/route.js'
import { type Happening, happenings } from './happenings.js'
import { HostHealth } from './host-health.js'
import { markColors } from './marks.js'
import { PluginHealth } from './plugin-health.js'
import { Timeline } from './timeline.js'

/** So many plugins fit on the page with all of their charts. */
const fewPlugins = 2

/** The Health Dashboard: how the host and its plugins are, and were in the last minutes. */
export function HealthView() {
  const running = (plugins.value ?? []).filter((plugin) => plugin.valid && isRunning(plugin))
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
      <Overview running={running} happened={happened} />
      {running.length === 0 && (
        <p class="card quiet">
          No plugin is loaded. <a href={addressOf({ section: 'plugin' })}>Load one</a> to see how it does.
        </p>
      )}
      <Timeline happened={happened} />
    </>
  )
}

/** A small card for each plugin that does something, and the quiet ones behind a fold. */
function Overview({ running, happened }: { running: readonly Plugin[]; happened: readonly Happening[] }) {
  const isFew = running.length <= fewPlugins
  const quiet = isFew ? [] : running.filter((plugin) => isQuiet(plugin, happened))
  const card = (plugin: Plugin) => (
    <PluginCard
      plugin={plugin}
      key={plugin.path}
      isOpenAtFirst={isFew}
      happened={happened.filter(({ names }) => names.includes(plugin.name))}
    />
  )
  return (
    <>
      <div class="overview">{running.filter((plugin) => !quiet.includes(plugin)).map(card)}</div>
      {quiet.length > 0 && (
        <details class="fold">
          <summary>
            {counted(quiet.length, 'quiet plugin')}: ready, and not called in the last minutes
          </summary>
          <div class="overview">{quiet.map(card)}</div>
        </details>
      )}
    </>
  )
}

/** Whether nothing has happened to a ready plugin, nor any call come to it, in the minutes that are shown. */
function isQuiet({ name, status }: Plugin, happened: readonly Happening[]): boolean {
  const counts = samples.value.flatMap(({ plugins: all }) => workOf(all[name]) ?? [])
  const isCalled = counts.some((each) => each !== counts[0])
  const isInTrouble = happened.some(({ names, kind }) => kind !== 'status' && names.includes(name))
  return status === 'READY' && !isCalled && !isInTrouble
}

/** Counts up, or down, when a plugin has something to do. */
function workOf(health: Health | undefined): number | undefined {
  if (!health) return undefined
  const counters = ['calls_answered', 'calls_failed', 'calls_in_flight', 'open_streams']
  return counters.reduce((sum, name) => sum + (figure(health.details, name) ?? 0), 0)
}

interface CardProps {
  plugin: Plugin
  happened: readonly Happening[]
  isOpenAtFirst: boolean
}

/** A plugin at a glance; opened, with all of its charts. */
function PluginCard({ plugin, happened, isOpenAtFirst }: CardProps) {
  const { name, status } = plugin
  // It stays open where a plugin is not quiet any more, and its card is elsewhere.
  const [isOpen, setOpen] = useKept(`health ${plugin.path}`, () => isOpenAtFirst)
  const healths = samples.value.map(({ plugins: all }) => all[name])
  const { details, memory_mb: memory } = healths.at(-1) ?? {}
  const past = (field: string): (number | null)[] =>
    healths.map((health) => figure(health?.details, field) ?? null)
  const troubles = [
    ['restarts', 'restart'],
    ['calls_failed', 'failed call'],
  ] as const
  return (
    <section class={isOpen ? 'card plugin-card open' : 'card plugin-card'} aria-label={`Health of ${name}`}>
      <h3>
        <button
          type="button"
          class="plain"
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
          title={isOpen ? 'Show less' : 'Show all charts'}
        >
          <span class="plugin-name">{name}</span>
          <Status status={status} />
        </button>
      </h3>
      {isOpen ? (
        <PluginHealth plugin={plugin} happened={happened} />
      ) : (
        <>
          <dl class="glance">
            <div>
              <dt>p95</dt>
              <dd>{duration(figure(details, 'p95_ms'))}</dd>
            </div>
            <div>
              <dt>memory</dt>
              <dd>{megabytes(memory)}</dd>
            </div>
            <div>
              <dt>in flight</dt>
              <dd>{count(figure(details, 'calls_in_flight'))}</dd>
            </div>
          </dl>
          <div class="glance-charts">
            <Sparkline label={`p95 latency of ${name}, the last minutes`} values={past('p95_ms')} />
            <Sparkline
              label={`Memory of ${name}, the last minutes`}
              values={healths.map((health) => health?.memory_mb ?? null)}
            />
            <Sparkline
              label={`Calls in flight of ${name}, the last minutes`}
              values={past('calls_in_flight')}
            />
          </div>
          {troubles.map(([field, noun]) => (
            <Trouble noun={noun} times={figure(details, field)} key={field} />
          ))}
        </>
      )}
    </section>
  )
}

/** What is worth a line only where there is any. */
function Trouble({ noun, times = 0 }: { noun: string; times?: number | undefined }) {
  return times === 0 ? null : <p class="trouble wait">{counted(times, noun)}</p>
}
