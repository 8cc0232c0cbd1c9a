import { isPluginError, PluginError } from '@appfactory/sdk'
import { describeThrown } from '@appfactory/sdk/internal'
import type { Bus } from './bus.js'
import { otherRun } from './caller-errors.js'
import { answerBytes, checkVersions, type Dial, readDial, refusalBytes } from './dial.js'
import type { LinkFigures, NodeCounts } from './figures.js'
import type { LinkLimits } from './link-limits.js'
import { graceMs } from './liveness.js'
import { NatsLink, type Windows } from './nats-link.js'
import { Pulse } from './pulse.js'
import type { Subjects } from './subjects.js'
import { Budget } from './window.js'

/** Links that have been opened and whose caller has not used them: whoever forges a caller's name leaves such ones. */
const maxUnused = 1024

/** How often links that nobody waits for are looked after, in ms: their callers may have died. */
const probeMs = 10_000

/** How long a caller that was cut off is told at most that its link is over, in ms. */
const longestFarewellMs = 60_000

export interface NodeLinksOptions {
  bus: Bus
  subjects: Subjects
  node: string
  /** Of this run of the node. */
  boot: string
  limits: LinkLimits
  figures: LinkFigures
  /** @throws PluginError Why no link to it is opened. Undefined: it is a link of an administrator. */
  check(plugin: string | undefined): void
  /** Whether callers may be answered by a plugin: looked at with each frame of theirs. */
  mayServe(plugin: string): boolean
  /** Serves a caller until the link is closed. */
  serve(link: NatsLink, plugin: string | undefined, byteNonce: string): Promise<void>
}

interface Caller {
  links: number
}

/** The links of a node: it opens them where callers dial, and looks after them. */
export class NodeLinks {
  readonly #options: NodeLinksOptions
  readonly #pulse = new Pulse()
  readonly #budget: Budget
  /** Those that callers have used, by the name of the caller. */
  readonly #callers = new Map<string, Caller>()
  readonly #links = new Map<string, NatsLink>()
  /** Those of each plugin. */
  readonly #byPlugin = new Map<string, Set<NatsLink>>()
  readonly #serving = new Set<Promise<void>>()
  readonly #probing: NodeJS.Timeout
  #used = 0

  constructor(options: NodeLinksOptions) {
    this.#options = options
    this.#budget = new Budget(options.limits.connectionWindowBytes)
    this.#probing = setInterval(() => {
      for (const link of this.#links.values()) link.probe()
    }, probeMs).unref()
  }

  get counts(): NodeCounts {
    return { links: this.#links.size, callers: this.#callers.size }
  }

  /** Opens a link for a caller, or tells it why not. */
  open(plugin: string | undefined, bytes: Uint8Array): void {
    const dial = readDial(bytes)
    // Nobody knows where an answer should go.
    if (!dial) return
    const { bus, subjects, boot } = this.#options
    // Only that caller can read it, whoever it is that asks in its name.
    const answerTo = `${subjects.back(dial.caller, dial.link)}.dial`
    try {
      const takes = this.#check(dial, plugin)
      const link = this.#create(dial, takes, plugin)
      bus.publish(answerTo, answerBytes({ takes, boot }))
      // Where nobody is there, it ends at once.
      link.probe()
      this.#serve(link, plugin, dial)
    } catch (error) {
      bus.publish(answerTo, refusalBytes(refusalOf(error)))
    }
  }

  /** Resolves when all callers have been served. */
  async idle(): Promise<void> {
    while (this.#serving.size > 0) await Promise.all(this.#serving)
  }

  /** Closes those of plugins that callers may not be answered by any more. */
  closeUnserved(errorOf: (plugin: string) => PluginError): void {
    for (const [plugin, links] of this.#byPlugin)
      if (!this.#options.mayServe(plugin)) for (const link of [...links]) link.close(errorOf(plugin))
  }

  /** Closes what is left. */
  close(error?: PluginError): void {
    clearInterval(this.#probing)
    for (const link of [...this.#links.values()]) link.close(error)
  }

  #check(dial: Dial, plugin: string | undefined): Windows {
    const { node, limits, check, boot } = this.#options
    checkVersions(node, dial)
    if (dial.boot !== undefined && dial.boot !== boot) throw otherRun(node)
    check(plugin)
    const { caller, link } = dial
    if (this.#links.has(link)) throw refused(node, 'has a link of that name already', 'INVALID_REQUEST')
    const { links = 0 } = this.#callers.get(caller) ?? {}
    if (links >= limits.maxLinksPerCaller)
      throw refused(node, `has ${links} links of caller "${caller}", which is the limit (maxLinksPerCaller)`)
    if (links === 0 && this.#callers.size >= limits.maxCallersPerNode)
      throw refused(
        node,
        `serves ${limits.maxCallersPerNode} callers, which is the limit (maxCallersPerNode)`,
      )
    if (this.#links.size - this.#used >= maxUnused) throw refused(node, 'has too many links that nobody uses')
    return this.#windows()
  }

  /** The more links there are, the less each of them may bring at once. */
  #windows(): Windows {
    const { linkWindowBytes, connectionWindowBytes } = this.#options.limits
    const share = Math.floor(connectionWindowBytes / (this.#links.size + 1))
    const lines = Math.max(Math.min(linkWindowBytes, share), Math.min(linkWindowBytes, 64 * 1024))
    return { lines, bytes: Math.max(Math.floor(lines / 4), 64 * 1024) }
  }

  #create({ caller, link: token, takes: gives }: Dial, takes: Windows, plugin: string | undefined): NatsLink {
    const { bus, subjects, node, limits, mayServe, figures } = this.#options
    const here = subjects.to(node, caller, token)
    let isUsed = false
    const link: NatsLink = new NatsLink({
      ...{ bus, pulse: this.#pulse, budget: this.#budget, here, there: subjects.back(caller, token) },
      ...{ figures, takes, gives, peer: `caller ${caller}`, caller },
      ...{ resumeMs: limits.resumeMs, graceMs: graceMs.ofCaller },
      onOver: () => {
        // A caller that was cut off is told so when it is back.
        setTimeout(() => subscription.unsubscribe(), Math.min(limits.resumeMs, longestFarewellMs)).unref()
        this.#links.delete(token)
        if (plugin !== undefined) this.#byPlugin.get(plugin)?.delete(link)
        if (isUsed) this.#forget(caller)
      },
    })
    this.#links.set(token, link)
    if (plugin !== undefined) this.#byPlugin.set(plugin, (this.#byPlugin.get(plugin) ?? new Set()).add(link))
    const subscription = bus.subscribe(`${here}.*`, (message) => {
      if (!isUsed && message.data.length > 0) {
        isUsed = true
        this.#remember(caller)
      }
      // A frame that has waited must not be read in the name of a plugin that runs elsewhere by now.
      if (plugin === undefined || mayServe(plugin)) link.receive(message)
    })
    return link
  }

  #serve(link: NatsLink, plugin: string | undefined, { byteNonce }: Dial): void {
    const served = this.#options
      .serve(link, plugin, byteNonce)
      .catch((error: unknown) => link.close(refusalOf(error)))
      .finally(() => this.#serving.delete(served))
    this.#serving.add(served)
  }

  #remember(caller: string): void {
    this.#used += 1
    const known = this.#callers.get(caller)
    if (known) known.links += 1
    else this.#callers.set(caller, { links: 1 })
  }

  #forget(caller: string): void {
    this.#used -= 1
    const known = this.#callers.get(caller)
    if (!known) return
    known.links -= 1
    if (known.links === 0) this.#callers.delete(caller)
  }
}

function refused(
  node: string,
  reason: string,
  code: 'RESOURCE_EXHAUSTED' | 'INVALID_REQUEST' = 'RESOURCE_EXHAUSTED',
): PluginError {
  return new PluginError(code, `Node "${node}" opens no link: it ${reason}`, { node })
}

function refusalOf(error: unknown): PluginError {
  return isPluginError(error) ? error : new PluginError('INTERNAL_ERROR', describeThrown(error).message)
}
