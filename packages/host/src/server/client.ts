import type { Duplex } from 'node:stream'
import type { PluginError } from '@appfactory/sdk'
import { type IncomingCall, Peer } from '@appfactory/sdk/internal'
import { bytesNotOffered, callForbidden } from '../errors.js'
import type { Link } from '../link/link.js'
import { maxHeldBytes, type Room, readWithin, roomBelow, roomIn } from '../process/backpressure.js'
import { CallerFallbacks } from './caller-fallbacks.js'
import { CallerRoom } from './caller-room.js'
import { CallerSessions } from './caller-sessions.js'
import { ClientEvents } from './events.js'
import type { ServerContext } from './methods.js'
import { checkRights, openMethods, type Rights } from './rights.js'
import { runServerMethod } from './run.js'
import type { Served } from './served.js'

export interface ClientOptions {
  link: Link
  rights: Rights
  /** Process requests one at a time, in order. */
  sequential: boolean
  /** Whether no other client waits for the plugins: they wait for this one to read then, however long that takes. */
  isOnly: boolean
  /** The node of a cluster that it is a client of. Default: there is no cluster. */
  node?: string | undefined
  /** Where bytes may come on a connection of their own, which begins with the token. */
  expectBytes?: ((arrived: (bytes: Duplex) => void) => { token: string }) | undefined
  /** The client sends nothing any more. */
  onEnd(): void
  /** The client can't be written to any more, or does not read. */
  onGone(): void
  /** The client asks for the end of the host. Without it, it can't. */
  onShutDown?: ((timeoutMs: number) => void) | undefined
}

/** Methods that count themselves, where they call a plugin. */
const countedElsewhere = /^plugin\/call$|^(?!plugin\/|system\/|events\/|bytes\/)[^/]+\/[^/]+$/

/** Raw bytes of one client: what waits for its turn counts as its messages do. */
const byteLimits = { maxPayloadBytes: maxHeldBytes, maxWaitingBytes: maxHeldBytes }

/** One client of a host, or of a cluster: what it asks for, its events and sessions, and what may wait for it. */
export class Client {
  readonly #served: Served
  readonly #options: ClientOptions
  readonly #peer: Peer
  readonly #room: CallerRoom | undefined
  readonly #forPlugins: Room
  readonly #backlog: Room
  readonly #events: ClientEvents
  readonly #sessions: CallerSessions | undefined
  readonly #fallbacks = new CallerFallbacks()
  readonly #arrival: { readonly node?: string }
  #hasBytes = false
  #refusal: PluginError | undefined

  constructor(served: Served, options: ClientOptions) {
    const { link, sequential, isOnly, onEnd, onGone } = options
    this.#served = served
    this.#options = options
    this.#arrival = options.node === undefined ? {} : { node: options.node }
    this.#peer = new Peer({
      ...{ input: link.input, output: link.output, sequential, maxHeldBytes, onEnd, onGone },
      handle: (call) => this.#handle(call),
    })
    link.watch?.(() => this.#peer.callsInFlight > 0)
    if (isOnly) this.#forPlugins = roomIn(link.output)
    else {
      const room = this.#createRoom()
      this.#room = room
      this.#forPlugins = room.forPlugins
      this.#sessions = new CallerSessions(served.calls)
    }
    this.#backlog = roomBelow(() => this.#waitingBytes)
    this.#read(link.input)
    this.#events = new ClientEvents(served.system, {
      notify: (event) => this.#peer.notify('event', event),
      isBehind: () => (this.#room ? this.#room.isBehind : this.#forPlugins() !== undefined),
    })
  }

  /** Resolves when no call of the client is being worked on. */
  idle(): Promise<void> {
    return this.#peer.idle()
  }

  /** Requests that come from now on fail with `error`. */
  refuse(error: PluginError): void {
    this.#refusal ??= error
  }

  /** Hands over what is still to be written. */
  flush(): void {
    this.#peer.flush()
  }

  /** Takes and sends bytes raw beside the messages from now on. */
  useBytes(stream: Duplex, nonce: string): void {
    this.#hasBytes = true
    this.#peer.receiveBytes(stream, nonce, byteLimits)
    this.#peer.sendBytes()
    this.#read(stream)
  }

  /** Ends what is done for the client: its calls are cancelled, and it gets no answers and no events any more. */
  close(error: PluginError): void {
    this.refuse(error)
    this.#room?.end()
    this.#events.end()
    this.#peer.close(error)
  }

  /** Closes what goes with it, its sessions above all, and that of calls that are still in flight. Resolves when that has been done. */
  async closeOwn(): Promise<void> {
    await Promise.all([this.#sessions?.closeAll(), this.#fallbacks.closeAll()])
  }

  #createRoom(): CallerRoom {
    const { link, onGone } = this.#options
    return new CallerRoom({
      unsentBytes: () => this.#peer.unsentBytes,
      onHopeless: (error) => {
        this.close(error)
        link.close(error)
        onGone()
      },
    })
  }

  /** Back-pressure: nothing is read from a client that does not read its answers, or that sends ahead. */
  #read(stream: Link['input']): void {
    const room = this.#room?.forRequests ?? this.#forPlugins
    readWithin(() => room() ?? this.#backlog(), stream)
  }

  /** Bytes of this client's requests that wait here, or for plugins to read them: of those, no more than are in flight. */
  get #waitingBytes(): number {
    const { heldBytes, bytesInFlight } = this.#peer
    const { unsentBytes } = this.#served.calls
    return heldBytes + (this.#options.isOnly ? unsentBytes : Math.min(unsentBytes, bytesInFlight))
  }

  #handle(call: IncomingCall): unknown {
    if (this.#refusal && (!this.#options.isOnly || call.method === 'plugin/load')) throw this.#refusal
    checkRights(this.#options.rights, call)
    this.#room?.check()
    const run = (): unknown => runServerMethod(this.#context(call))
    return countedElsewhere.test(call.method) ? run() : this.#served.calls.requests.count(async () => run())
  }

  #context(call: IncomingCall): ServerContext {
    return {
      ...{ served: this.#served, arrival: this.#arrival, call },
      ...{ room: this.#forPlugins, sessions: this.#sessions, fallbacks: this.#fallbacks },
      subscribe: (types) => this.#events.subscribe(types),
      shutDown: (timeoutMs) => this.#shutDown(timeoutMs),
      openBytes: (nonce) => this.#openBytes(nonce),
    }
  }

  #shutDown(timeoutMs: number): void {
    const { onShutDown } = this.#options
    if (!onShutDown) throw callForbidden('shutdown', openMethods)
    onShutDown(timeoutMs)
  }

  #openBytes(nonce: string): { token: string | null } {
    const { link, expectBytes } = this.#options
    if (this.#hasBytes || (!link.bytes && !expectBytes)) throw bytesNotOffered(this.#hasBytes)
    this.#hasBytes = true
    if (link.bytes) {
      this.useBytes(link.bytes, nonce)
      return { token: null }
    }
    return expectBytes?.((bytes) => this.useBytes(bytes, nonce)) ?? { token: null }
  }
}
