import { PassThrough } from 'node:stream'
import { type PluginHost, type Rights, serve } from '@appfactory/host'
import { type Link, memoryLink } from '@appfactory/host/internal'
import { PluginError } from '@appfactory/sdk'
import type { Beat, BeatPlugin } from '../src/beat.js'
import type { BusChange } from '../src/bus.js'
import type { Cable, Dialled } from '../src/cable.js'
import { NodeState } from '../src/node-state.js'

/** A node within this process: a host, what it tells, and the ends of its links that callers have. */
interface MemoryNode {
  host: PluginHost
  state: NodeState
  /** What it tells of its plugins in place of the truth. */
  untruths: Partial<BeatPlugin>
  links: Set<HeldLink>
}

/** A cable to hosts within this process, over links of memory. A test decides what breaks. */
export class MemoryCable implements Cable {
  isConnected = true
  /** Why nodes refuse links to plugins, by the plugin's name. */
  readonly refusals = new Map<string, PluginError>()
  readonly #nodes = new Map<string, MemoryNode>()
  readonly #endings: (() => void)[] = []
  readonly #beatListeners = new Set<(beat: Beat) => void>()
  readonly #changeListeners = new Set<(change: BusChange) => void>()

  constructor() {
    const timer = setInterval(() => this.who(), 250)
    this.#endings.push(() => clearInterval(timer))
  }

  /** Lets a host join as a node, which may tell something else of its plugins than the truth. */
  join(node: string, host: PluginHost, untruths: Partial<BeatPlugin> = {}): void {
    const state = new NodeState(host, node, {})
    this.#nodes.set(node, { host, state, untruths, links: new Set() })
    const tell = (): void => this.tell(node)
    host.on('status', tell).on('swap', tell)
    this.#endings.push(() => host.off('status', tell).off('swap', tell))
    this.tell(node)
  }

  /** A node tells how it is. */
  tell(node: string, told: Partial<Beat> = {}): void {
    const found = this.#nodes.get(node)
    if (!found) return
    const beat = { ...found.state.beat(), ...told }
    beat.plugins = beat.plugins.map((plugin) => ({ ...plugin, ...found.untruths }))
    for (const listen of this.#beatListeners) listen(beat)
  }

  /** A node stops taking calls. */
  drain(node: string): void {
    const found = this.#nodes.get(node)
    if (found) found.state.isDraining = true
    this.tell(node)
  }

  /** A node is gone without a word, and its links with it. */
  kill(node: string, lost: 'node' | 'link' = 'node'): void {
    const { links } = this.#nodes.get(node) ?? { links: new Set<HeldLink>() }
    this.#nodes.delete(node)
    for (const link of links) link.close(new PluginError('PLUGIN_CRASHED', 'the test broke it', { lost }))
  }

  /** What is sent to a node from now on is not read, and known as that when it is killed. */
  hold(node: string): void {
    for (const link of this.#nodes.get(node)?.links ?? []) link.hold()
  }

  connect(isConnected: boolean): void {
    this.isConnected = isConnected
    for (const listen of this.#changeListeners) listen({ type: isConnected ? 'back' : 'lost' })
  }

  onBeat(listen: (beat: Beat) => void): () => void {
    this.#beatListeners.add(listen)
    return () => void this.#beatListeners.delete(listen)
  }

  onChange(listen: (change: BusChange) => void): () => void {
    this.#changeListeners.add(listen)
    return () => void this.#changeListeners.delete(listen)
  }

  who(): void {
    if (!this.isConnected) return
    for (const node of this.#nodes.keys()) this.tell(node)
  }

  async dial(plugin: string, node: string): Promise<Dialled> {
    const refusal = this.refusals.get(plugin)
    if (refusal) throw refusal
    return this.#open(node, 'call')
  }

  async admin(node: string): Promise<Dialled> {
    return this.#open(node, 'all')
  }

  async close(): Promise<void> {
    for (const end of this.#endings) end()
    for (const { links } of this.#nodes.values()) for (const link of links) link.close()
  }

  #open(node: string, rights: Rights): Dialled {
    const found = this.#nodes.get(node)
    if (!found) throw new PluginError('PLUGIN_NOT_READY', `Node ${node} is not there`, { lost: 'node' })
    const [near, far] = memoryLink()
    const link = new HeldLink(near)
    found.links.add(link)
    void link.closed.then(() => found.links.delete(link))
    const onShutDown = (): void => {
      this.tell(node, { draining: true })
      this.tell(node, { leaving: true, plugins: [] })
      this.#nodes.delete(node)
    }
    void serve(found.host, far, { rights, onShutDown })
    return { link, boot: found.state.boot }
  }
}

/** A link whose output can be held back. */
class HeldLink implements Link {
  readonly input: Link['input']
  readonly output = new PassThrough()
  readonly bytes: NonNullable<Link['bytes']>
  readonly closed: Link['closed']
  readonly undelivered: Buffer[] = []
  readonly #link: Link
  #isHeld = false

  constructor(link: Required<Pick<Link, 'bytes'>> & Link) {
    this.#link = link
    this.input = link.input
    this.bytes = link.bytes
    this.closed = link.closed
    this.output.on('data', (chunk: Buffer) => {
      if (this.#isHeld) this.undelivered.push(chunk)
      else link.output.write(chunk)
    })
  }

  hold(): void {
    this.#isHeld = true
  }

  close(error?: PluginError): void {
    this.#link.close(error)
    if (error) this.output.destroy()
  }
}
