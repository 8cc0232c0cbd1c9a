import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { describeThrown, type WireHealthStatus } from '@appfactory/sdk/internal'
import type { HostEvents } from '../host.js'
import type { Served } from '../server/served.js'
import { wireHealth, wireMembers, wireStatus } from '../server/wire-form.js'
import type { Batch, LogLine, Sample, TimelineEvent } from './messages.js'

export interface Listener {
  sample(sample: Sample): void
  event(event: TimelineEvent): void
  log(line: LogLine): void
}

const sampleEveryMs = 1000
/** How long a sample waits for the answers of the plugins. */
const answerMs = 200
/** Five minutes. */
const keptSamples = 300
const keptEvents = 500
const keptLines = 2000
/** Longest part of a line that is shown. */
const maxLineLength = 8000

/** Keeps the last minutes of a host, or of a cluster, and emits new events to listeners. */
export class Recorder {
  readonly listeners = new Set<Listener>()
  readonly #served: Served
  readonly #samples: Sample[] = []
  readonly #timeline: TimelineEvent[] = []
  readonly #logs: LogLine[] = []
  readonly #loopDelay = monitorEventLoopDelay({ resolution: 10 })
  readonly #last: Record<string, WireHealthStatus> = {}
  readonly #asking = new Set<string>()
  readonly #timer: NodeJS.Timeout
  readonly #detach: (() => void)[] = []
  #lines = 0

  constructor(served: Served) {
    this.#served = served
    const { system } = served
    this.#loopDelay.enable()
    for (const type of ['status', 'crash', 'restart', 'swap', 'fallback'] as const) this.#watch(type)
    const onLog = (line: HostEvents['log'][0]): void => this.#recordLog(line)
    system.on('log', onLog)
    this.#detach.push(() => system.off('log', onLog))
    this.#timer = setInterval(() => void this.#sample(), sampleEveryMs)
    this.#timer.unref()
  }

  /** The recent past, for a page that is opened now. */
  get recorded(): Batch {
    return { samples: this.#samples, timeline: this.#timeline, logs: this.#logs }
  }

  close(): void {
    clearInterval(this.#timer)
    this.#loopDelay.disable()
    for (const detach of this.#detach) detach()
  }

  #watch(type: TimelineEvent['type']): void {
    const onEvent = (details: { plugin: string }): void => this.#recordEvent(type, details)
    const { system } = this.#served
    system.on(type, onEvent)
    this.#detach.push(() => system.off(type, onEvent))
  }

  #recordEvent(type: TimelineEvent['type'], details: { plugin: string }): void {
    const event: TimelineEvent = {
      ...wireMembers(details),
      at: Date.now(),
      type,
      plugin: details.plugin,
    }
    keep(this.#timeline, event, keptEvents)
    for (const listener of this.listeners) listener.event(event)
  }

  #recordLog({ plugin, level, message }: HostEvents['log'][0]): void {
    const shown = message.length > maxLineLength ? `${message.slice(0, maxLineLength)}…` : message
    this.#lines += 1
    const line = { seq: this.#lines, at: Date.now(), plugin, level, message: shown }
    keep(this.#logs, line, keptLines)
    for (const listener of this.listeners) listener.log(line)
  }

  async #sample(): Promise<void> {
    const loaded = this.#served.loadedNames()
    // A slow plugin keeps its last sample and does not delay the others.
    await Promise.race([Promise.all(loaded.map((name) => this.#ask(name))), delay(answerMs)])
    const sample: Sample = {
      at: Date.now(),
      host: {
        ...wireStatus(this.#served.system),
        event_loop_delay_ms: Math.max(0, this.#loopDelay.max / 1e6 - 10),
      },
      plugins: Object.fromEntries(
        loaded.flatMap((name) => (this.#last[name] ? [[name, this.#last[name]]] : [])),
      ),
    }
    this.#loopDelay.reset()
    keep(this.#samples, sample, keptSamples)
    for (const listener of this.listeners) listener.sample(sample)
  }

  async #ask(plugin: string): Promise<void> {
    if (this.#asking.has(plugin)) return
    this.#asking.add(plugin)
    try {
      this.#last[plugin] = wireHealth(await this.#served.system.health(plugin))
    } catch (error) {
      const message = describeThrown(error).message
      this.#last[plugin] = { status: 'ERROR', message, details: {}, latency_ms: null, memory_mb: null }
    } finally {
      this.#asking.delete(plugin)
    }
  }
}

/** Appends, and drops the oldest items beyond the limit, a few at a time. */
function keep<T>(list: T[], item: T, limit: number): void {
  list.push(item)
  if (list.length > limit * 1.2) list.splice(0, list.length - limit)
}
