import { repeatEvery } from '@appfactory/host/internal'
import { listed, protocolVersions } from '@appfactory/sdk/internal'
import type { Beat, BeatPlugin, DesiredOnNode } from './beat.js'
import type { NodeRun } from './cable.js'
import { LoadTimes } from './load-times.js'

/** What happens to a node. `left`: it said so; `lost`: nothing is heard of it. */
export type NodeChange = 'joined' | 'left' | 'lost' | 'draining'

/** Something happened to a node. */
export interface NodeEvent extends NodeRun {
  readonly change: NodeChange
}

export interface DirectoryOptions {
  /** How often a node tells how it is, in ms. */
  beatMs: number
  /** How many beats may be missed before a node is lost. */
  missedBeats: number
  /** Whether anything has come from a node since the last question: who is busy may be late with beats. */
  hasMoved(run: NodeRun): boolean
  onChange(event: NodeEvent): void
  /** A beat has come, or a node has gone: of that run. `isSilent`: it was lost for its silence. */
  onUpdate(run: NodeRun, isSilent: boolean): void
  warn(message: string): void
}

/** What is known of one run of a node. */
interface Entry {
  beat: Beat
  /** When anything came from it last, as `performance.now()` has it: clocks of other machines are never compared. */
  heardAt: number
  loadTimes: LoadTimes
}

/** How many former runs of a node are remembered. */
const maxFormerRuns = 16

/** The nodes of a cluster, by what they tell of themselves. */
export class Directory {
  readonly #options: DirectoryOptions
  readonly #entries = new Map<string, Entry>()
  /** Runs that another run of the same name has replaced, by name. */
  readonly #former = new Map<string, string[]>()
  /** What was warned of. */
  readonly #warned = new Set<string>()
  readonly #timer: NodeJS.Timeout | undefined
  readonly #periodMs: number
  #lookedAt = performance.now()
  #isCut = false

  constructor(options: DirectoryOptions) {
    this.#options = options
    this.#periodMs = options.beatMs / 2
    this.#timer = repeatEvery(this.#periodMs, () => this.#look())
  }

  /** Runs that are there, with what they told last; those that speak no protocol of ours are left out. */
  get nodes(): Beat[] {
    return [...this.#entries.values()].map(({ beat }) => beat).filter(isSpoken)
  }

  /** What a run of a node told last, if it is there. */
  get(run: NodeRun): Beat | undefined {
    const beat = this.#entries.get(keyOf(run))?.beat
    return beat && isSpoken(beat) ? beat : undefined
  }

  /** When a plugin of a run was loaded, by the clock of this end; the same as long as it stays. */
  loadedAt(run: NodeRun, plugin: string): number {
    return this.#entries.get(keyOf(run))?.loadTimes.of(plugin) ?? Number.NEGATIVE_INFINITY
  }

  /** Of the plugins of a contract that nodes have, the name of the one that was loaded last. */
  lastLoaded(contract: string): string | undefined {
    let last: { name: string; at: number } | undefined
    for (const { beat, loadTimes } of this.#entries.values())
      for (const { name, contract: its } of isSpoken(beat) ? beat.plugins : []) {
        const at = loadTimes.of(name)
        if (its === contract && (!last || at > last.at)) last = { name, at }
      }
    return last?.name
  }

  /** Takes what a node tells. What came late, or twice, says nothing. */
  take(beat: Beat): void {
    const entry = this.#entries.get(keyOf(beat))
    if (entry && beat.sequence <= entry.beat.sequence) return
    if (beat.leaving) {
      if (entry) this.#remove(entry, 'left')
      return
    }
    if (!entry) this.#meet(beat)
    const wasDraining = entry?.beat.draining ?? false
    this.#entries.set(keyOf(beat), {
      ...{ beat, heardAt: performance.now() },
      loadTimes: new LoadTimes(beat, entry?.loadTimes),
    })
    if (!isSpoken(beat)) return
    if (!entry) this.#tell(beat, 'joined')
    if (beat.draining && !wasDraining) this.#tell(beat, 'draining')
    this.#options.onUpdate(beat, false)
  }

  /** While nothing can be heard, silence says nothing. */
  connection(isUp: boolean): void {
    this.#isCut = !isUp
    this.#forgive(Number.POSITIVE_INFINITY)
  }

  /** A link to a run has broken: unless the next beat comes, it is lost. */
  doubt(run: NodeRun): void {
    const { beatMs, missedBeats } = this.#options
    const entry = this.#entries.get(keyOf(run))
    if (entry) entry.heardAt = Math.min(entry.heardAt, performance.now() - beatMs * (missedBeats - 1))
  }

  close(): void {
    clearInterval(this.#timer)
    this.#entries.clear()
  }

  #meet(beat: Beat): void {
    const { node, boot, protocolVersions: spoken } = beat
    if (this.#former.get(node)?.includes(boot))
      this.#warnOnce(
        `${node} twice`,
        `Two nodes are called ${node}. Calls go to both; give each a name of its own`,
      )
    else for (const entry of this.#runsOf(node)) this.#replace(entry)
    if (!isSpoken(beat))
      this.#warnOnce(
        `${node}/${boot} versions`,
        `Node ${node} is left out: it speaks versions ${listed(spoken.map(String))} of the protocol, and this caller ${listed(protocolVersions.map(String))}. Update the older of the two`,
      )
  }

  #runsOf(node: string): Entry[] {
    return [...this.#entries.values()].filter(({ beat }) => beat.node === node)
  }

  /** A node was started again, or there is another one of its name: that shows when this one is heard again. */
  #replace(entry: Entry): void {
    const { node, boot } = entry.beat
    this.#former.set(node, [...(this.#former.get(node) ?? []), boot].slice(-maxFormerRuns))
    this.#remove(entry, 'lost')
  }

  #remove({ beat }: Entry, change: 'left' | 'lost', isSilent = false): void {
    this.#entries.delete(keyOf(beat))
    if (!isSpoken(beat)) return
    this.#tell(beat, change)
    this.#options.onUpdate(beat, isSilent)
  }

  /** Looks for nodes that are silent. */
  #look(): void {
    const { beatMs, missedBeats, hasMoved } = this.#options
    const now = performance.now()
    // What was not heard because this process did something else, waits to be read.
    this.#forgive(now - this.#lookedAt - this.#periodMs)
    this.#lookedAt = now
    if (this.#isCut) return
    for (const entry of this.#entries.values()) {
      if (hasMoved(entry.beat)) entry.heardAt = now
      if (now - entry.heardAt >= beatMs * missedBeats) this.#remove(entry, 'lost', true)
    }
  }

  /** So many ms of silence do not count. */
  #forgive(ms: number): void {
    const now = performance.now()
    if (ms < this.#periodMs) return
    for (const entry of this.#entries.values()) entry.heardAt = Math.min(now, entry.heardAt + ms)
  }

  #tell({ node, boot }: NodeRun, change: NodeChange): void {
    this.#options.onChange({ node, boot, change })
  }

  #warnOnce(what: string, message: string): void {
    if (this.#warned.has(what)) return
    this.#warned.add(what)
    this.#options.warn(message)
  }
}

/** What tells runs of nodes apart. */
export function keyOf({ node, boot }: NodeRun): string {
  return `${node}/${boot}`
}

/** The plugin of that name on a node, also by a name that it had before a swap. */
export function pluginOn(beat: Beat, name: string): BeatPlugin | undefined {
  return (
    beat.plugins.find((plugin) => plugin.name === name) ??
    beat.plugins.find((plugin) => plugin.formerNames?.includes(name))
  )
}

/** What a node makes of a plugin that is wanted. */
export function desiredOn({ desired }: Beat, name: string): DesiredOnNode | undefined {
  return desired?.plugins.find((plugin) => plugin.name === name)
}

function isSpoken({ protocolVersions: spoken }: Beat): boolean {
  return spoken.some((version) => protocolVersions.includes(version))
}
