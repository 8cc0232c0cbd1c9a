import {
  type Callee,
  CallRouter,
  overallStatus,
  type RoutedCallOptions,
  type WireArgs,
  waitUntil,
  within,
} from '@appfactory/host/internal'
import { type ContractDescriptor, type HealthStatus, PluginStatus } from '@appfactory/sdk'
import { describeThrown } from '@appfactory/sdk/internal'
import { RemotePlaces, type RemotePlacesOptions } from './remote-places.js'
import type { RemoteWorker } from './remote-worker.js'

/** Limits of what waits in front of a plugin, and of its calls. Times in ms; Infinity is never. */
export interface CallerLimits {
  /** Of a call without a timeout of its own, its wait for a node included; for a stream, between two pieces. Default: 60,000. */
  callTimeoutMs: number
  /** How long a node may take to answer a new link, and `get` waits for a node. Default: 5,000. */
  connectTimeoutMs: number
  /** Calls to one plugin that wait for a node. Default: 10,000. */
  maxQueuedCalls: number
  /** Sessions of one plugin that are open at once. Default: 1,000. */
  maxSessions: number
}

export interface RemotePluginOptions
  extends Omit<RemotePlacesOptions, 'onChange' | 'onGone' | 'hasSessions' | 'connectTimeoutMs'> {
  limits: CallerLimits
}

/** What callers hold of a plugin of the cluster: nodes come and go behind it. */
export class RemotePlugin implements Callee {
  readonly name: string
  readonly places: RemotePlaces
  readonly router: CallRouter
  readonly #limits: CallerLimits
  readonly #waiting = new Set<() => void>()

  constructor({ limits, ...options }: RemotePluginOptions) {
    this.name = options.plugin
    this.#limits = limits
    // The places look for nodes at once, and tell of them before there is a router.
    let router: CallRouter | undefined
    this.places = new RemotePlaces({
      ...options,
      connectTimeoutMs: limits.connectTimeoutMs,
      onChange: () => {
        router?.wake()
        for (const look of this.#waiting) look()
      },
      onGone: (worker) => router?.forget(worker),
      hasSessions: (worker) => router?.isIdle(worker) === false,
    })
    router = new CallRouter(this.places, {
      ...limits,
      healthIntervalMs: Number.POSITIVE_INFINITY,
      drainTimeoutMs: 0,
      retireTimeoutMs: 0,
    })
    this.router = router
  }

  get contract(): ContractDescriptor | undefined {
    return this.places.contract
  }

  call(method: string, args: WireArgs, options: RoutedCallOptions = {}): Promise<unknown> {
    return this.router.call(method, args, this.#withTimeout(options))
  }

  stream(method: string, args: WireArgs, options: RoutedCallOptions = {}): AsyncIterableIterator<unknown> {
    return this.router.stream(method, args, this.#withTimeout(options))
  }

  /**
   * The contract, once a node has described the plugin.
   *
   * @throws PluginError Why none will; CALL_TIMEOUT after `timeoutMs`; REQUEST_CANCELLED.
   * @param options `timeoutMs` is `connectTimeoutMs` by default.
   */
  ready({
    signal,
    timeoutMs = this.#limits.connectTimeoutMs,
  }: {
    signal?: AbortSignal | undefined
    timeoutMs?: number | undefined
  } = {}): Promise<ContractDescriptor> {
    let look = (): void => {}
    const found = new Promise<ContractDescriptor>((resolve, reject) => {
      look = () => {
        const { contract, whyNone } = this.places
        if (whyNone) reject(whyNone)
        else if (contract) resolve(contract)
      }
      look()
    })
    this.#waiting.add(look)
    return within(found, { signal, timeoutMs, late: () => this.places.late(timeoutMs) }).finally(() =>
      this.#waiting.delete(look),
    )
  }

  /** How the plugin is doing: on each node by itself, under `details.nodes`, and together. */
  async health(): Promise<HealthStatus> {
    // A caller that has just come is not connected to all of them yet.
    await waitUntil(() => !this.places.isOpening, this.#limits.connectTimeoutMs)
    const { workers, count } = this.places
    const each = await Promise.all(workers.map((worker) => this.#healthOn(worker)))
    const ready = each.filter(({ status }) => status === PluginStatus.READY || status === PluginStatus.BUSY)
    const latencies = each.flatMap(({ latencyMs }) => latencyMs ?? [])
    const { queuedCalls, openSessions } = this.router
    return {
      status: overallStatus(each.map(({ status }) => status)),
      message: `${ready.length} of ${count} nodes are ready`,
      details: {
        ...{ queued_calls: queuedCalls, open_sessions: openSessions },
        nodes: each.map(({ status, message = '', details }, index) => {
          const { node, boot } = workers[index]?.run ?? {}
          return { node, boot, status, message, ...details }
        }),
      },
      ...(latencies.length === 0 ? {} : { latencyMs: Math.max(...latencies) }),
    }
  }

  close(): void {
    this.places.close()
  }

  /** One node that does not answer says nothing of the others. */
  #healthOn(worker: RemoteWorker): Promise<HealthStatus> {
    return worker.health(this.#limits.connectTimeoutMs).catch((error: unknown) => ({
      status: PluginStatus.ERROR,
      message: describeThrown(error).message,
      details: {},
    }))
  }

  #withTimeout(options: RoutedCallOptions): RoutedCallOptions {
    return options.timeoutMs === undefined ? { ...options, timeoutMs: this.#limits.callTimeoutMs } : options
  }
}
