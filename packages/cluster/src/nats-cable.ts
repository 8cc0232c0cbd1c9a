import { randomBytes } from 'node:crypto'
import { checkedNumbers, type NumberRule, size, time } from '@appfactory/host/internal'
import type { PluginError } from '@appfactory/sdk'
import { startTimer } from '@appfactory/sdk/internal'
import { type Beat, readBeat } from './beat.js'
import { type Bus, type BusChange, isUndelivered } from './bus.js'
import { connectNats, type NatsBus, type NatsOptions } from './connection.js'
import { readCredentials } from './credentials.js'
import { KvStore } from './desired/kv-store.js'
import type { DesiredStore } from './desired/store.js'
import { type DialAnswer, dialBytes, readAnswer } from './dial.js'
import { nobodyAnswers, nodeNotThere, notAllowed, notConnectedNow } from './errors.js'
import { LinkFigures } from './figures.js'
import { defaultLinkLimits, type LinkLimits, windowSize } from './link-limits.js'
import { graceMs } from './liveness.js'
import { NatsLink } from './nats-link.js'
import { Pulse } from './pulse.js'
import { watchRefusals } from './refusals.js'
import { checkedName, type Subjects, subjectsOf } from './subjects.js'
import { Budget } from './window.js'

/** How a caller reaches a cluster. */
export interface CableOptions
  extends NatsOptions,
    Partial<Omit<LinkLimits, 'maxLinksPerCaller' | 'maxCallersPerNode'>> {
  /** Nodes and callers of one namespace see each other, and nobody else. */
  namespace: string
  /** The name by which nodes know this caller; its permissions are for this name. Default: the one in the file of `creds`,
   * or one by chance. */
  caller?: string
}

/** A link that a node has opened. */
export interface Dialed {
  link: NatsLink
  /** Both ends have agreed on raw bytes over `link.bytes`, with this nonce. */
  byteNonce: string
  /** Of the run of the node. */
  boot: string
}

type Rules = Record<'linkWindowBytes' | 'connectionWindowBytes' | 'resumeMs' | 'connectTimeoutMs', NumberRule>

const rules: Rules = {
  linkWindowBytes: windowSize,
  connectionWindowBytes: size,
  resumeMs: time,
  connectTimeoutMs: time,
}

/** The way of a caller to the nodes of a cluster: what they tell of themselves, and links to them. */
export class NatsCable implements AsyncDisposable {
  readonly caller: string
  readonly figures = new LinkFigures()
  readonly #bus: NatsBus
  readonly #subjects: Subjects
  readonly #limits: LinkLimits
  readonly #timeoutMs: number
  readonly #pulse = new Pulse()
  readonly #budget: Budget
  readonly #links = new Set<NatsLink>()
  readonly #listeners = new Set<(beat: Beat) => void>()
  /** Where answers of all nodes go. */
  readonly #answers: string

  /**
   * @throws PluginError PLUGIN_NOT_READY where NATS can't be reached or does not let this process in, CALL_FORBIDDEN where it does
   *   not allow what a caller needs. TypeError for a wrong option.
   */
  static async connect(options: CableOptions): Promise<NatsCable> {
    const subjects = subjectsOf(options.namespace)
    const caller = checkedName('caller', await callerName(options))
    const numbers = checkedNumbers<Partial<Record<keyof Rules, number>>>(options, rules)
    const bus = await connectNats(options, `appfactory caller ${caller}`, subjects.inbox(caller))
    try {
      const cable = new NatsCable(bus, subjects, caller, numbers)
      await cable.#begin()
      return cable
    } catch (error) {
      await bus.close()
      throw error
    }
  }

  private constructor(
    bus: NatsBus,
    subjects: Subjects,
    caller: string,
    numbers: Partial<Record<keyof Rules, number>>,
  ) {
    this.#bus = bus
    this.#subjects = subjects
    this.caller = caller
    this.#limits = { ...defaultLinkLimits, ...numbers }
    this.#timeoutMs = numbers.connectTimeoutMs ?? 5000
    this.#budget = new Budget(this.#limits.connectionWindowBytes)
    this.#answers = `${subjects.back(caller, newToken())}.who`
  }

  get isConnected(): boolean {
    return this.#bus.isConnected
  }

  /** Calls `listen` with each beat of a node. Returns what ends that. */
  onBeat(listen: (beat: Beat) => void): () => void {
    this.#listeners.add(listen)
    return () => void this.#listeners.delete(listen)
  }

  /** Calls `listen` where the connection to NATS is lost, or is back. Returns what ends that. */
  onChange(listen: (change: BusChange) => void): () => void {
    return this.#bus.onChange(listen)
  }

  /** Asks all nodes for a beat. */
  who(): void {
    this.#bus.publish(this.#subjects.who, new Uint8Array(), this.#answers)
  }

  /**
   * Opens a link to a plugin on a node.
   *
   * @throws PluginError PLUGIN_NOT_READY, with `data.lost` where the node or NATS is not there; CALL_FORBIDDEN; PLUGIN_NOT_FOUND,
   *   RESOURCE_EXHAUSTED or PROTOCOL_VERSION_UNSUPPORTED of the node.
   */
  dial(plugin: string, node: string, boot?: string): Promise<Dialed> {
    return this.#dial(this.#subjects.dial(plugin, node), node, boot)
  }

  /** Opens a link that may load, swap and unload plugins of a node, and drain it. Throws as `dial` does. */
  admin(node: string, boot?: string): Promise<Dialed> {
    return this.#dial(this.#subjects.admin(node), node, boot)
  }

  /**
   * Opens the bucket with what is wanted of the whole cluster, and makes it where it is not there. Needs the rights of an
   * administrator.
   *
   * @throws PluginError DEPENDENCY_MISSING, PLUGIN_NOT_READY or CALL_FORBIDDEN.
   */
  desired(): Promise<DesiredStore> {
    return KvStore.open(this.#bus, this.#subjects, { make: true })
  }

  /** Closes all links, and the connection. */
  async close(): Promise<void> {
    const links = [...this.#links]
    for (const link of links) link.close()
    await this.#bus.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #begin(): Promise<void> {
    const take = ({ data }: { data: Uint8Array }): void => {
      const beat = readBeat(data)
      if (beat) for (const listen of [...this.#listeners]) listen(beat)
    }
    const refusal = watchRefusals(this.#bus, [this.#subjects.beat('*'), this.#answers, this.#subjects.who])
    this.#bus.subscribe(this.#subjects.beat('*'), take)
    this.#bus.subscribe(this.#answers, take)
    this.who()
    await this.#bus.flush()
    await refusal.check()
  }

  async #dial(subject: string, node: string, boot?: string): Promise<Dialed> {
    if (!this.#bus.isConnected) throw notConnectedNow()
    const token = newToken()
    const byteNonce = newToken()
    const { linkWindowBytes: lines } = this.#limits
    const takes = { lines, bytes: Math.max(Math.floor(lines / 4), 64 * 1024) }
    const here = this.#subjects.back(this.caller, token)
    let link: NatsLink | undefined
    const dialing = new Dialing(node, this.#timeoutMs, this.#bus, subject)
    const subscription = this.#bus.subscribe(`${here}.*`, (message) => {
      if (link) link.receive(message)
      else if (isUndelivered(message)) dialing.fail(nodeNotThere(node))
      else link = dialing.take(message.data, open)
    })
    const open = ({ takes: gives }: DialAnswer): NatsLink => {
      const opened: NatsLink = new NatsLink({
        ...{ bus: this.#bus, pulse: this.#pulse, budget: this.#budget, here, takes, gives },
        ...{ there: this.#subjects.to(node, this.caller, token), peer: `node ${node}` },
        ...{ figures: this.figures, resumeMs: this.#limits.resumeMs, graceMs: graceMs.ofNode },
        onOver: () => {
          subscription.unsubscribe()
          this.#links.delete(opened)
        },
      })
      this.#links.add(opened)
      // The node knows by this that it is this caller.
      opened.probe()
      return opened
    }
    this.#bus.publish(
      subject,
      dialBytes({
        caller: this.caller,
        link: token,
        takes,
        byteNonce,
        ...(boot === undefined ? {} : { boot }),
      }),
      `${here}.dial`,
    )
    try {
      return { ...(await dialing.done), byteNonce }
    } catch (error) {
      subscription.unsubscribe()
      throw error
    }
  }
}

/** One attempt to open a link. */
class Dialing {
  readonly done: Promise<Omit<Dialed, 'byteNonce'>>
  readonly #node: string
  #resolve: (dialed: Omit<Dialed, 'byteNonce'>) => void = () => {}
  #reject: (error: unknown) => void = () => {}

  constructor(node: string, timeoutMs: number, bus: Bus, subject: string) {
    this.#node = node
    const timer = startTimer(timeoutMs, () => this.fail(nobodyAnswers(node, timeoutMs)))
    const endChanges = bus.onChange((change) => {
      if (change.type === 'refused' && change.subject === subject)
        this.fail(notAllowed(change.operation, subject))
      else if (change.type === 'lost' || change.type === 'closed') this.fail(notConnectedNow())
    })
    this.done = new Promise<Omit<Dialed, 'byteNonce'>>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    }).finally(() => {
      clearTimeout(timer)
      endChanges()
    })
  }

  fail(error: PluginError): void {
    this.#reject(error)
  }

  /** The node has answered. Returns the link, if it opens one. */
  take(data: Uint8Array, open: (answer: DialAnswer) => NatsLink): NatsLink | undefined {
    try {
      const answer = readAnswer(this.#node, data)
      const link = open(answer)
      this.#resolve({ link, boot: answer.boot })
      return link
    } catch (error) {
      this.#reject(error)
      return undefined
    }
  }
}

async function callerName({ caller, creds }: CableOptions): Promise<string> {
  const named = caller ?? (creds === undefined ? undefined : (await readCredentials(creds)).name)
  return named ?? `caller-${randomBytes(6).toString('hex')}`
}

/** 128 bits that nobody can guess. */
function newToken(): string {
  return randomBytes(16).toString('hex')
}
