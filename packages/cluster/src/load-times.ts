import type { Beat, BeatPlugin } from './beat.js'

interface LoadTime {
  /** How long it had been loaded when its node told of it. */
  loadedMs: number
  /** By `performance.now()` of this end. */
  at: number
}

/** When the plugins of a node were loaded, by this end's own clock: those of other machines are never compared. */
export class LoadTimes {
  readonly #times: ReadonlyMap<string, LoadTime>

  /** @param before Of the same run, by its last beat: what was known stays, so that the order of plugins does not waver. */
  constructor({ plugins }: Beat, before?: LoadTimes) {
    const now = performance.now()
    this.#times = new Map(plugins.map((plugin) => [plugin.name, timeOf(plugin, now, before)]))
  }

  of(plugin: string): number {
    return this.#times.get(plugin)?.at ?? Number.NEGATIVE_INFINITY
  }

  /** Undefined where it is another life of the plugin: that of one that was loaded again is shorter. */
  known({ name, loadedMs }: BeatPlugin): number | undefined {
    const time = this.#times.get(name)
    return time && time.loadedMs <= loadedMs ? time.at : undefined
  }
}

function timeOf(plugin: BeatPlugin, now: number, before: LoadTimes | undefined): LoadTime {
  const { loadedMs } = plugin
  return { loadedMs, at: before?.known(plugin) ?? now - loadedMs }
}
