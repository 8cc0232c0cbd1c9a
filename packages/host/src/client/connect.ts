import type {
  ContractBinding,
  ContractClass,
  ContractDescriptor,
  HealthStatus,
  Manifest,
} from '@appfactory/sdk'
import { type Peer, toSnakeCase, type WireHealthStatus } from '@appfactory/sdk/internal'
import { withBase64, withBytes } from '../base64.js'
import type { Config } from '../config/config.js'
import { connectionClosed, pluginNotLoaded } from '../errors.js'
import { checkContract, type Given, getBy } from '../expected-contract.js'
import type { FallbackOptions, FallbackPlugin } from '../fallback/options.js'
import { createHandle, type PluginHandle } from '../handle.js'
import type { HostEvents, HostStatus } from '../host.js'
import { PieceStream } from '../instance/pieces.js'
import type { Link } from '../link/link.js'
import { type Family, prometheusText } from '../metrics/prometheus.js'
import { Requests } from '../metrics/requests.js'
import { rounded } from '../numbers.js'
import { type CallOptions, unknownOptionOf } from '../options.js'
import type { PluginSystem } from '../plugin-system.js'
import type { PluginResult } from '../server/results.js'
import type { PluginSummary } from '../summary.js'
import { hostVersion } from '../version.js'
import { Mirror } from './mirror.js'
import { type OpenPeerOptions, openPeer } from './open-peer.js'
import { healthOf, RemotePlugin } from './remote-plugin.js'
import { openSocket } from './socket.js'

/** How a fallback at the other end of a connection tries its plugins, and how long it is there. */
export interface RemoteFallbackOptions extends FallbackOptions {
  /** Whether it goes when this caller leaves, or is killed. Default: false. */
  whileConnected?: boolean | undefined
}

/** A host at the other end of a connection, for one of its callers. */
export interface RemoteHost extends PluginSystem, AsyncDisposable {
  /**
   * Sends any other request of the protocol, such as `plugin/load`, with params and result as they are on the wire.
   *
   * @example await host.request('plugin/load', { name: 'tts_flite' })
   */
  request(method: string, params?: object, options?: { signal?: AbortSignal }): Promise<unknown>
  /**
   * As `host.fallback()`. It stays when this caller leaves, unless it is made `whileConnected`; `unload()` of its handle takes the name away.
   *
   * @throws PluginError As `host.fallback()` does; CALL_FORBIDDEN where this caller has not all rights; METHOD_NOT_FOUND where the other
   *   end stands in front of a cluster.
   */
  fallback<Contract = unknown>(
    name: string,
    plugins: readonly (string | FallbackPlugin)[],
    options?: RemoteFallbackOptions,
  ): Promise<PluginHandle<Contract>>
  /** Closes the connection: calls in flight fail, and the host closes this caller's sessions. */
  close(): void
}

/**
 * Connects to a host that `serve()` serves at the other end of a link, with raw bytes where the link has them. Calls fail with
 * REQUEST_CANCELLED, or with why, when the link is closed.
 *
 * @throws PluginError Why the link was closed meanwhile.
 * @example await using host = await connect(link)
 */
export async function connect(link: Link): Promise<RemoteHost> {
  return Connection.open(async (options) => ({ link, peer: await openPeer(link, options) }))
}

/**
 * Connects to a host that `appfactory-host serve --listen PATH` or `serveSocket()` serves. Bytes travel raw, over a second connection.
 *
 * @throws Error of Node where nobody listens at the path; PluginError RESOURCE_EXHAUSTED where the host has too many callers.
 * @example
 * await using host = await connectHost({ path: '/run/user/1000/appfactory.sock' })
 * const tts = await host.get<TTSContract>('tts_flite')
 */
export async function connectHost({ path }: { path: string }): Promise<RemoteHost> {
  return Connection.open((options) => openSocket(path, options))
}

/** The part of `plugin/describe` that handles are made of. */
interface Described {
  manifest?: Manifest
  descriptor: ContractDescriptor
}

class Connection implements RemoteHost {
  readonly #link: Link
  readonly #peer: Peer
  readonly #requests = new Requests()
  readonly #mirror: Mirror
  readonly #started = performance.now()

  /** @param open Opens a connection. */
  static async open(
    open: (options: Pick<OpenPeerOptions, 'onNotification'>) => Promise<{ link: Link; peer: Peer }>,
  ): Promise<RemoteHost> {
    let mirror: Mirror | undefined
    const { link, peer } = await open({ onNotification: (method, params) => mirror?.take(method, params) })
    mirror = new Mirror((method, params) => peer.request(method, params))
    try {
      await mirror.begin()
      return new Connection(link, peer, mirror)
    } catch (error) {
      link.close()
      throw error
    }
  }

  private constructor(link: Link, peer: Peer, mirror: Mirror) {
    this.#link = link
    this.#peer = peer
    this.#mirror = mirror
  }

  on<Name extends keyof HostEvents>(event: Name, listener: (...details: HostEvents[Name]) => void): this {
    this.#mirror.on(event, listener)
    return this
  }

  off<Name extends keyof HostEvents>(event: Name, listener: (...details: HostEvents[Name]) => void): this {
    this.#mirror.off(event, listener)
    return this
  }

  /** As the host told last: it tells of each change. */
  active(contract: string): string | undefined {
    return this.#mirror.active(contract)
  }

  async describe(
    name: string,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<{ plugin: { name: string; manifest?: Manifest }; contract: ContractDescriptor }> {
    const { manifest, descriptor } = await this.#describe(name, signal)
    return {
      plugin: { name: manifest?.name ?? name, ...(manifest ? { manifest } : {}) },
      contract: descriptor,
    }
  }

  /** Figures of this caller. How many plugins there are is what the host told last. */
  status(): HostStatus {
    const { plugins_loaded: pluginsLoaded = 0, plugins_total: pluginsTotal = 0 } = this.#mirror.status ?? {}
    return {
      version: hostVersion,
      uptimeSeconds: rounded((performance.now() - this.#started) / 1000),
      ...{ pluginsLoaded, pluginsTotal },
      requestsProcessed: this.#requests.total,
      errors: this.#requests.errors,
      memoryMb: process.memoryUsage.rss() / 1e6,
    }
  }

  /** Metrics of this caller. The host has those of its plugins. */
  metrics(): string {
    const figure = (name: string, help: string, value: number): Family => ({
      ...{ name: `appfactory_connection_${name}_total`, type: 'counter', help },
      samples: [{ labels: [], value }],
    })
    return prometheusText([
      figure('requests', 'Calls and streams of this caller.', this.#requests.total),
      figure('request_errors', 'Calls and streams of this caller that failed.', this.#requests.errors),
    ])
  }

  async list({ includeInvalid }: { includeInvalid?: boolean } = {}): Promise<PluginSummary[]> {
    const params = includeInvalid === undefined ? {} : { include_invalid: includeInvalid }
    return ((await this.request('plugin/list', params)) as PluginResult[]).map(summaryOf)
  }

  get<Contract extends ContractClass>(
    contract: Contract,
    name: string,
  ): Promise<PluginHandle<InstanceType<Contract>>>
  get<Contract = unknown>(name: string): Promise<PluginHandle<Contract>>
  get(...given: Given<[]>): Promise<PluginHandle> {
    return getBy(given, (name, expected) => this.#get(name, expected))
  }

  async #get(name: string, expected?: ContractBinding): Promise<PluginHandle> {
    const { status } = await this.health(name)
    if (status === 'UNLOADED') throw pluginNotLoaded(name)
    const { descriptor } = await this.#describe(name)
    if (expected) await checkContract(name, descriptor, expected)
    // To unload it is for who loaded it; this caller only lets go.
    return createHandle(new RemotePlugin(this.#peer, name), descriptor, this.#requests, async () => {})
  }

  async #describe(name: string, signal?: AbortSignal): Promise<Described> {
    return (await this.request('plugin/describe', { name, descriptor: true }, { signal })) as Described
  }

  call(plugin: string, method: string, args: Config = {}, options: CallOptions = {}): Promise<unknown> {
    const wrong = unknownOptionOf('call', options)
    if (wrong) return Promise.reject(wrong)
    this.#requests.begin()
    const answer = new RemotePlugin(this.#peer, plugin).call(method, withBytes(args), options)
    return answer.then(withBase64, this.#requests.fail)
  }

  stream(
    plugin: string,
    method: string,
    args: Config = {},
    options: CallOptions = {},
  ): AsyncIterableIterator<unknown> {
    return new PieceStream({
      open: () => {
        const wrong = unknownOptionOf('stream', options)
        if (wrong) throw wrong
        this.#requests.begin()
        return new RemotePlugin(this.#peer, plugin).stream(method, withBytes(args), options)
      },
      onEnd: this.#requests.end,
      map: withBase64,
      isOutermost: true,
    })
  }

  async fallback<Contract = unknown>(
    name: string,
    plugins: readonly (string | FallbackPlugin)[],
    options?: RemoteFallbackOptions,
  ): Promise<PluginHandle<Contract>>
  async fallback(
    name: string,
    plugins: readonly (string | FallbackPlugin)[],
    options: RemoteFallbackOptions = {},
  ): Promise<PluginHandle> {
    const given = Object.entries(options).map(([key, value]) => [toSnakeCase(key), value] as const)
    await this.request('plugin/fallback', { ...Object.fromEntries(given), name, plugins })
    const unload = async (): Promise<void> => {
      await this.request('plugin/unload', { name })
    }
    try {
      const { descriptor } = await this.#describe(name)
      return createHandle(new RemotePlugin(this.#peer, name), descriptor, this.#requests, unload)
    } catch (error) {
      // Who gets no handle can’t take the name away.
      await unload().catch(() => {})
      throw error
    }
  }

  async health(name: string): Promise<HealthStatus>
  async health(): Promise<Record<string, HealthStatus>>
  async health(name?: string): Promise<HealthStatus | Record<string, HealthStatus>> {
    if (name !== undefined) return new RemotePlugin(this.#peer, name).health()
    const all = (await this.request('plugin/health', {})) as Record<string, WireHealthStatus>
    return Object.fromEntries(Object.entries(all).map(([plugin, health]) => [plugin, healthOf(health)]))
  }

  request(
    method: string,
    params: object = {},
    options: { signal?: AbortSignal | undefined } = {},
  ): Promise<unknown> {
    return this.#peer.request(method, params, options)
  }

  close(): void {
    this.#peer.close(connectionClosed())
    this.#link.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }
}

function summaryOf({ display_name: displayName, ...rest }: PluginResult): PluginSummary {
  return { ...rest, displayName } as PluginSummary
}
