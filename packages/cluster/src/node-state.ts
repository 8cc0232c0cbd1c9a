import { randomUUID } from 'node:crypto'
import type { PluginHost } from '@appfactory/host'
import { hasPlugin, type Workload, workloadsOf } from '@appfactory/host/internal'
import { protocolVersions } from '@appfactory/sdk/internal'
import type { Beat, BeatPlugin } from './beat.js'

/** What a node knows of a plugin as long as it is loaded. */
interface Life {
  name: string
  /** Names that it had before swaps. */
  formerNames: string[]
  version: string
  generation: number
  /** By `performance.now()`. */
  loadedAt: number
}

/** How a node is, for its beats. */
export class NodeState {
  readonly boot = randomUUID()
  isDraining = false
  #sequence = 0
  readonly #lives = new WeakMap<object, Life>()
  readonly #host: PluginHost
  readonly #node: string
  readonly #labels: Readonly<Record<string, string>>

  constructor(host: PluginHost, node: string, labels: Readonly<Record<string, string>>) {
    this.#host = host
    this.#node = node
    this.#labels = labels
  }

  /** Whether plugins have calls to work on. */
  get isBusy(): boolean {
    return workloadsOf(this.#host).some(({ inFlight, queued }) => inFlight + queued > 0)
  }

  /** Whether nothing holds the node up that drains. */
  get isIdle(): boolean {
    return !this.isBusy && workloadsOf(this.#host).every(({ openSessions }) => openSessions === 0)
  }

  /** A plugin was swapped: callers may prefer the new one. */
  swapped(plugin: string): void {
    for (const { slot, name } of workloadsOf(this.#host)) {
      const life = this.#lives.get(slot)
      if (!life || name !== plugin) continue
      life.generation += 1
      life.loadedAt = performance.now()
    }
  }

  beat(isLeaving = false): Beat {
    this.#sequence += 1
    return {
      ...{ node: this.#node, boot: this.boot, sequence: this.#sequence, labels: { ...this.#labels } },
      draining: this.isDraining,
      leaving: isLeaving,
      protocolVersions: [...protocolVersions],
      plugins: isLeaving ? [] : workloadsOf(this.#host).map((workload) => this.#plugin(workload)),
    }
  }

  #plugin({ slot, name, version, contract, ...figures }: Workload): BeatPlugin {
    const { status, inFlight, queued, capacity, replicas } = figures
    const life = this.#lives.get(slot) ?? {
      name,
      formerNames: [],
      version: '',
      generation: 0,
      loadedAt: performance.now(),
    }
    this.#lives.set(slot, life)
    // A process that has crashed is started again with the same.
    if (version !== undefined) life.version = version
    if (life.name !== name) {
      life.formerNames = [...life.formerNames, life.name].filter((former) => former !== name)
      life.name = name
    }
    const formerNames = life.formerNames.filter((former) => hasPlugin(this.#host, former))
    return {
      ...(formerNames.length > 0 ? { formerNames } : {}),
      ...{ name, version: life.version, contract: contract.name, contractVersion: contract.version },
      ...{
        generation: life.generation,
        status,
        inFlight,
        queued,
        capacity,
        replicas,
        loadedMs: Math.round(performance.now() - life.loadedAt),
      },
    }
  }
}
