import type { PluginHost } from '@appfactory/host'
import { type Beat, readBeat } from '../beat.js'
import type { BusChange } from '../bus.js'
import type { NatsBus } from '../connection.js'
import { Directory } from '../directory.js'
import { watchRefusals } from '../refusals.js'
import type { Subjects } from '../subjects.js'
import { isPassing } from './desired-errors.js'
import { Keeper } from './keeper.js'
import { KvStore } from './kv-store.js'
import { localPlugins } from './local-plugins.js'
import type { Labels } from './record.js'

export interface NodeDesiredOptions {
  host: PluginHost
  bus: NatsBus
  subjects: Subjects
  node: string
  /** Of this run of the node. */
  boot: string
  labels: Labels
  /** How many processes it may have of all that is wanted. Default: 64. */
  maxReplicas?: number | undefined
  /** How long a plugin with state may run without word from NATS, in ms. Default: 10,000. */
  leaseMs?: number | undefined
  /** What this node tells is another thing now. */
  changed(): void
  /** Nobody may be answered by a plugin any more. */
  onLost(plugin: string): void
  warn(message: string): void
}

/** The part that a node has in what is wanted of the whole cluster. */
export class NodeDesired {
  readonly #directory: Directory
  readonly #keeper: Keeper
  readonly #endings: (() => void)[] = []

  /**
   * @throws PluginError PLUGIN_NOT_READY where JetStream is off; DEPENDENCY_MISSING without its client; CALL_FORBIDDEN where this user
   *   may not use it. Where it is only away, the node goes on and tries again.
   */
  static async begin(options: NodeDesiredOptions): Promise<NodeDesired> {
    const { bus, subjects } = options
    const store = await KvStore.open(bus, subjects)
    await store.state().catch((error: unknown) => {
      // What is away may come back; what is off, or forbidden, is a mistake.
      if (!isPassing(error)) throw error
    })
    const desired = new NodeDesired(options, store)
    await desired.#begin(options)
    return desired
  }

  private constructor(options: NodeDesiredOptions, store: KvStore) {
    const { host, bus, node, boot, labels, maxReplicas = 64, leaseMs = 10_000 } = options
    const { changed, onLost, warn } = options
    this.#directory = new Directory({
      ...{ beatMs: 1000, missedBeats: 3 },
      hasMoved: () => false,
      onChange: () => {},
      onUpdate: () => {},
      warn,
    })
    this.#keeper = new Keeper({
      // JSON has no Infinity.
      ...{ node, boot, labels, room: Math.min(maxReplicas, Number.MAX_SAFE_INTEGER) },
      ...{ leaseMs, changed, onLost, warn },
      local: localPlugins(host),
      store: async () => store,
      others: () =>
        bus.isConnected ? this.#directory.nodes.filter((beat) => beat.boot !== boot) : undefined,
    })
  }

  told(): NonNullable<Beat['desired']> {
    return this.#keeper.told()
  }

  /** Whether callers may be answered by a plugin. */
  mayServe(plugin: string): boolean {
    return this.#keeper.mayServe(plugin)
  }

  /** It begins and ends nothing any more. */
  pause(): void {
    this.#keeper.pause()
  }

  /** Unloads what it has loaded. */
  async end(): Promise<void> {
    for (const end of this.#endings) end()
    this.#directory.close()
    await this.#keeper.end()
  }

  async #begin({ bus, subjects, node }: NodeDesiredOptions): Promise<void> {
    const answers = `${subjects.inbox(node)}.who`
    const needed = [subjects.beat('*'), subjects.desired, answers, subjects.who]
    const refusals = watchRefusals(bus, needed)
    const hear = ({ data }: { data: Uint8Array }): void => {
      const beat = readBeat(data)
      if (beat) this.#directory.take(beat)
    }
    const subscriptions = [
      ...[subjects.beat('*'), answers].map((subject) => bus.subscribe(subject, hear)),
      bus.subscribe(subjects.desired, () => this.#keeper.nudge()),
    ]
    bus.publish(subjects.who, new Uint8Array(), answers)
    await bus.flush()
    await refusals.check()
    this.#endings.push(
      ...subscriptions.map((each) => () => each.unsubscribe()),
      bus.onChange((change) => this.#takeChange(change, bus)),
    )
    this.#keeper.begin()
  }

  #takeChange({ type }: BusChange, bus: NatsBus): void {
    if (type === 'refused') return
    this.#directory.connection(bus.isConnected)
    if (type === 'back') this.#keeper.nudge()
  }
}
