import type { HealthStatus, PluginError } from '@appfactory/sdk'
import {
  activeTrace,
  inputMarker,
  maxTimerMs,
  type Peer,
  type RequestOptions,
  streamWindow,
  type WireHealthStatus,
} from '@appfactory/sdk/internal'
import type { Callee } from '../callee.js'
import { callTimeout } from '../errors.js'
import { PieceStream } from '../instance/pieces.js'
import { type RoutedCallOptions, type WireArgs, wrongCallOption } from '../options.js'
import { hasListeners, TracedCall } from '../traces.js'

/** A plugin of a host at the other end of a connection. */
export class RemotePlugin implements Callee {
  readonly name: string
  readonly #peer: Peer

  constructor(peer: Peer, name: string) {
    this.#peer = peer
    this.name = name
  }

  async call(method: string, args: WireArgs, options: RoutedCallOptions = {}): Promise<unknown> {
    checkOptions(options)
    const traced = hasListeners() ? this.#traced(method, 'call', options) : undefined
    const ask = (): Promise<unknown> => {
      const params = this.#params(method, args, options, traced)
      return this.#peer.request('plugin/call', params, this.#requestOptions(method, options))
    }
    return traced ? traced.run(ask) : ask()
  }

  stream(method: string, args: WireArgs, options: RoutedCallOptions = {}): AsyncIterableIterator<unknown> {
    const window = options.credit ?? streamWindow
    let traced: TracedCall | undefined
    const ask = (): AsyncIterator<unknown> => {
      const params = { ...this.#params(method, args, options, traced), stream: { credit: window } }
      return this.#peer.stream('plugin/call', params, { ...this.#requestOptions(method, options), window })
    }
    return new PieceStream({
      open: () => {
        checkOptions(options)
        if (!hasListeners()) return ask()
        traced = this.#traced(method, 'stream', options)
        return traced.begin(ask)
      },
      onEnd: (outcome, error) => traced?.end(outcome, error),
    })
  }

  /** Only the host knows the contract. */
  #traced(method: string, kind: 'call' | 'stream', options: RoutedCallOptions): TracedCall {
    return TracedCall.of({ plugin: this.name, method, contract: undefined, kind }, options)
  }

  async health(): Promise<HealthStatus> {
    return healthOf((await this.#peer.request('plugin/health', { name: this.name })) as WireHealthStatus)
  }

  #params(
    method: string,
    args: WireArgs,
    { timeoutMs, retry, fallback, input, trace: given }: RoutedCallOptions,
    traced: TracedCall | undefined,
  ): object {
    const trace = traced ? traced.trace.context : (given ?? activeTrace())
    return {
      plugin: this.name,
      method,
      args: input ? { ...args, [input.name]: inputMarker } : args,
      // JSON has no Infinity.
      ...(timeoutMs === undefined ? {} : { timeout: Math.min(timeoutMs, maxTimerMs) }),
      ...(retry === undefined ? {} : { retry }),
      ...(fallback === undefined ? {} : { fallback }),
      ...(trace ? { trace } : {}),
    }
  }

  /** The host watches the time too; this end does for a host that answers no more. */
  #requestOptions(
    method: string,
    { timeoutMs, signal, cancellation, input }: RoutedCallOptions,
  ): RequestOptions {
    const late = (): PluginError => callTimeout(this.name, method, timeoutMs ?? 0)
    return { timeoutMs, late, signal, cancellation, input: input?.items }
  }
}

export function healthOf({
  latency_ms: latencyMs,
  memory_mb: memoryMb,
  ...health
}: WireHealthStatus): HealthStatus {
  return {
    ...health,
    ...(latencyMs === null ? {} : { latencyMs }),
    ...(memoryMb === null ? {} : { memoryMb }),
  }
}

/** @throws TypeError */
function checkOptions(options: RoutedCallOptions): void {
  const wrong = wrongCallOption(options)
  if (wrong) throw wrong
}
