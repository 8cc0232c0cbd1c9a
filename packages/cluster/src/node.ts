import { setTimeout as delay } from 'node:timers/promises'
import { type PluginHost, type SwapEvent, serve } from '@appfactory/host'
import {
  checkedNumbers,
  count,
  hasPlugin,
  type NumberRule,
  size,
  time,
  waitUntil,
} from '@appfactory/host/internal'
import type { PluginError } from '@appfactory/sdk'
import { nameValue } from '@appfactory/sdk/internal'
import { type Beat, beatBytes, readBeat } from './beat.js'
import { Beats } from './beats.js'
import type { BusChange, BusMessage } from './bus.js'
import { connectNats, type NatsBus, type NatsOptions } from './connection.js'
import { leaseTime } from './desired/lease-value.js'
import { NodeDesired } from './desired/node-desired.js'
import { leaseOver, nameTaken, nodeLeaving, notAllowed, pluginNotOnNode } from './errors.js'
import { NodeFigures, nodeMetrics } from './figures.js'
import { defaultLinkLimits, type LinkLimits, windowSize } from './link-limits.js'
import { refuseNamesake } from './namesake.js'
import type { NatsLink } from './nats-link.js'
import { NodeLinks } from './node-links.js'
import { NodeState } from './node-state.js'
import { watchRefusals } from './refusals.js'
import { answerTools } from './services.js'
import { checkedName, type Subjects, subjectsOf } from './subjects.js'

/** How a host joins a cluster. */
export interface NodeOptions extends NatsOptions, Partial<LinkLimits> {
  /** Nodes and callers of one namespace see each other, and nobody else. */
  namespace: string
  /** The name of this node, which no other of the namespace has. */
  node: string
  /** What it has, for whoever chooses nodes: `{ gpu: 'true' }`. Default: none. */
  labels?: Readonly<Record<string, string>>
  /** How long calls, streams and sessions may go on while it drains, in ms. Default: 60,000. */
  retireTimeoutMs?: number
  /** Whether it takes its part in what is wanted of the whole cluster (`cluster.load`), and not only what it is told to. Default: false. */
  desired?: boolean
  /** How many processes it has at most of what is wanted of the whole cluster. Default: 64. */
  maxReplicas?: number
  /** How long a plugin with state, of those, may run without word from NATS, in ms, up to 600,000. Default: 10,000. */
  leaseMs?: number
}

/** A host that serves the callers of a cluster. */
export interface ClusterNode extends AsyncDisposable {
  readonly name: string
  /** Whether it takes no new calls, and is about to leave. */
  readonly isDraining: boolean
  /** Metrics of the node in Prometheus' text format, version 0.0.4: its links and callers. Those of its plugins are the host's. */
  metrics(): string
  /** Resolves when it has left: with why it had to, or undefined where it was asked to. Never rejects. */
  readonly left: Promise<PluginError | undefined>
  /**
   * Leaves the cluster: callers choose other nodes, calls in flight are let finish, then the links are closed. The host and its
   * plugins go on. Again does nothing.
   */
  drain(): Promise<void>
}

const nodeRules: Record<keyof LinkLimits | keyof OtherNumbers, NumberRule> = {
  maxLinksPerCaller: count,
  maxCallersPerNode: count,
  linkWindowBytes: windowSize,
  connectionWindowBytes: size,
  resumeMs: time,
  retireTimeoutMs: time,
  connectTimeoutMs: time,
  maxReplicas: count,
  leaseMs: leaseTime,
}

/** The options of a node that are its limits. */
export const nodeLimitNames: readonly string[] = [
  ...Object.keys(defaultLinkLimits),
  ...['maxReplicas', 'leaseMs'],
]

/** How long callers take to hear that a node drains, in ms. */
const drainNoticeMs = 250
/** How long the last answers of a node that leaves may take to be sent, in ms. */
const lastAnswersMs = 2000

/**
 * Lets the callers of a cluster call the plugins of a host, and its administrators load and swap them.
 *
 * @throws PluginError PLUGIN_NOT_READY where NATS can't be reached, does not let this node in, or another node has its name.
 *   TypeError for a wrong option.
 * @example
 * await using node = await serveNode(host, { nats: 'nats://127.0.0.1:4222', namespace: 'voice', node: 'gpu-1' })
 */
export async function serveNode(host: PluginHost, options: NodeOptions): Promise<ClusterNode> {
  const subjects = subjectsOf(options.namespace)
  const name = checkedName('node', options.node)
  const numbers = checkedNumbers<Numbers>(options, nodeRules)
  checkLabels(options.labels)
  const bus = await connectNats(options, `appfactory node ${name}`, subjects.inbox(name))
  try {
    await refuseNamesake(bus, subjects, name, options.namespace)
    const node = new Node(host, bus, { ...options, ...numbers, node: name, subjects })
    await node.begin()
    return node
  } catch (error) {
    await bus.close()
    throw error
  }
}

/** @throws TypeError: nobody could read what a node tells that has others. */
function checkLabels(labels: unknown = {}): void {
  const isObject = typeof labels === 'object' && labels !== null && !Array.isArray(labels)
  const wrong = isObject ? Object.entries(labels).find(([, value]) => typeof value !== 'string') : []
  if (wrong)
    throw new TypeError(`labels takes an object of texts, such as { gpu: 'true' }, not ${nameValue(labels)}`)
}

type OtherNumbers = Pick<NodeOptions, 'retireTimeoutMs' | 'connectTimeoutMs' | 'maxReplicas' | 'leaseMs'>
type Numbers = Partial<LinkLimits> & OtherNumbers

class Node implements ClusterNode {
  readonly name: string
  readonly left: Promise<PluginError | undefined>
  readonly #host: PluginHost
  readonly #bus: NatsBus
  readonly #options: NodeOptions & { subjects: Subjects }
  readonly #state: NodeState
  readonly #links: NodeLinks
  readonly #figures = new NodeFigures()
  /** What ends the service of each caller gently. */
  readonly #endings = new Set<AbortController>()
  readonly #undo: (() => void)[] = []
  #beats: Beats | undefined
  #desired: NodeDesired | undefined
  #leave: (error: PluginError | undefined) => void = () => {}
  #drained: Promise<void> | undefined

  constructor(host: PluginHost, bus: NatsBus, options: NodeOptions & { subjects: Subjects }) {
    const { node, labels = {}, subjects } = options
    this.name = node
    this.#host = host
    this.#bus = bus
    this.#options = options
    this.left = new Promise((resolve) => {
      this.#leave = resolve
    })
    this.#state = new NodeState(host, node, labels)
    this.#links = new NodeLinks({
      ...{ bus, subjects, node, boot: this.#state.boot, limits: { ...defaultLinkLimits, ...options } },
      figures: this.#figures,
      check: (plugin) => this.#check(plugin),
      mayServe: (plugin) => this.#desired?.mayServe(plugin) ?? true,
      serve: (link, plugin, byteNonce) => this.#serve(link, plugin, byteNonce),
    })
  }

  get isDraining(): boolean {
    return this.#state.isDraining
  }

  metrics(): string {
    return nodeMetrics(this.#figures, this.#links.counts)
  }

  /** Takes callers from now on. Resolves when NATS knows it. */
  async begin(): Promise<void> {
    const { subjects, namespace } = this.#options
    const { name } = this
    const tell = ({ reply }: BusMessage): void => {
      if (reply) this.#bus.publish(reply, beatBytes(this.#beat()))
    }
    const needed = [subjects.who, subjects.whoIs(name), subjects.dial('*', name), subjects.beat(name)]
    const refusals = watchRefusals(this.#bus, needed)
    this.#bus.subscribe(subjects.who, tell)
    this.#bus.subscribe(subjects.whoIs(name), tell)
    this.#bus.subscribe(subjects.beat(name), ({ data }) => this.#hear(data))
    this.#bus.subscribe(subjects.dial('*', name), ({ subject, data }) => this.#open(subject, data))
    this.#bus.subscribe(subjects.admin(name), ({ data }) => this.#links.open(undefined, data))
    answerTools({
      ...{ bus: this.#bus, namespace, beat: () => this.#beat() },
      requests: () => {
        const { requestsProcessed: processed, errors: failed } = this.#host.status()
        return { processed, failed }
      },
    })
    await this.#bus.flush()
    await refusals.check()
    this.#desired = await this.#takePart()
    this.#bus.onChange((change) => this.#takeChange(change))
    // Nobody hears of a node before it can be reached.
    const beats = new Beats({
      ...{ bus: this.#bus, subject: subjects.beat(name) },
      beat: () => this.#beat(),
      isBusy: () => this.#state.isBusy,
      onBeat: () => {
        this.#figures.beats += 1
      },
    })
    this.#beats = beats
    const onStatus = (): void => beats.changed()
    const onSwap = ({ replacement, step }: SwapEvent): void => {
      if (step === 'confirm') this.#state.swapped(replacement)
      beats.changed()
    }
    this.#host.on('status', onStatus).on('swap', onSwap)
    this.#undo.push(() => void this.#host.off('status', onStatus).off('swap', onSwap))
  }

  /** Takes its part in what is wanted of the whole cluster. */
  async #takePart(): Promise<NodeDesired | undefined> {
    const {
      desired = false,
      subjects,
      labels = {},
      maxReplicas,
      leaseMs,
      onWarning = () => {},
    } = this.#options
    if (!desired) return undefined
    return NodeDesired.begin({
      ...{ host: this.#host, bus: this.#bus, subjects, node: this.name, boot: this.#state.boot, labels },
      ...{ maxReplicas, leaseMs, warn: onWarning },
      changed: () => this.#beats?.changed(),
      onLost: () => this.#links.closeUnserved((plugin) => leaseOver(this.name, plugin)),
    })
  }

  #beat(isLeaving = false): Beat {
    const desired = isLeaving ? undefined : this.#desired?.told()
    return { ...this.#state.beat(isLeaving), ...(desired ? { desired } : {}) }
  }

  drain(): Promise<void> {
    this.#drained ??= this.#drain()
    return this.#drained
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain()
  }

  async #drain(reason?: PluginError): Promise<void> {
    const { retireTimeoutMs = 60_000, subjects } = this.#options
    this.#state.isDraining = true
    this.#figures.drains += 1
    this.#desired?.pause()
    this.#beats?.tell()
    await delay(drainNoticeMs)
    await waitUntil(() => this.#state.isIdle, retireTimeoutMs)
    for (const ending of this.#endings) ending.abort()
    await Promise.race([this.#links.idle(), delay(lastAnswersMs, undefined, { ref: false })])
    this.#links.close()
    await this.#desired?.end()
    this.#beats?.end()
    for (const undo of this.#undo) undo()
    this.#bus.publish(subjects.beat(this.name), beatBytes(this.#beat(true)))
    await this.#bus.close()
    this.#leave(reason)
  }

  #check(plugin: string | undefined): void {
    if (this.isDraining) throw nodeLeaving(this.name)
    if (plugin === undefined) return
    const isThere = hasPlugin(this.#host, plugin) && (this.#desired?.mayServe(plugin) ?? true)
    if (!isThere) throw pluginNotOnNode(this.name, plugin)
  }

  async #serve(link: NatsLink, plugin: string | undefined, byteNonce: string): Promise<void> {
    const ending = new AbortController()
    this.#endings.add(ending)
    const common = { byteNonce, signal: ending.signal, node: this.name }
    try {
      if (plugin === undefined)
        await serve(this.#host, link, { ...common, rights: 'all', onShutDown: () => void this.drain() })
      else await serve(this.#host, link, { ...common, rights: { plugin } })
    } finally {
      this.#endings.delete(ending)
    }
  }

  /** A beat with this node's name. */
  #hear(data: Uint8Array): void {
    const { boot } = readBeat(data) ?? {}
    // Both have started at once: one of them stays.
    if (boot === undefined || boot >= this.#state.boot) return
    this.#drained ??= this.#drain(nameTaken(this.name, this.#options.namespace))
  }

  #takeChange(change: BusChange): void {
    if (change.type === 'back') this.#beats?.tell()
    // Nobody can hear of it any more.
    if (change.type === 'refused' && change.subject === this.#options.subjects.beat(this.name))
      this.#drained ??= this.#drain(notAllowed(change.operation, change.subject))
  }

  #open(subject: string, data: Uint8Array): void {
    // af.<namespace>.dial.<plugin>.<node>
    const [, , , plugin = ''] = subject.split('.')
    this.#links.open(plugin, data)
  }
}
