import { PluginError } from '@appfactory/sdk'
import { allowListeners } from '@appfactory/sdk/internal'
import { hostShuttingDown } from '../errors.js'
import type { Link } from '../link/link.js'
import type { PluginSystem } from '../plugin-system.js'
import { aborted } from '../waiting.js'
import { Client, type ClientOptions } from './client.js'
import type { Rights } from './rights.js'
import { servedOf } from './served.js'

/** How a caller is served. */
export interface ServeOptions {
  /**
   * `call`: it calls plugins and looks at them. `all`: it may also load, unload, scale and swap them, and with `onShutDown` end the
   * host. Default: `call`.
   */
  rights?: Rights
  /** Process requests one at a time, in order. Default: false. */
  sequential?: boolean
  /** An abort ends it gently: further requests are refused, calls in flight are let finish, then the link is closed. */
  signal?: AbortSignal
  /** A caller with all rights has sent `shutdown`: how long its calls may go on, in ms. Default: nobody can end the host. */
  onShutDown?(timeoutMs: number): void
  /** The node of a cluster that the host is, for traces. Default: there is no cluster. */
  node?: string
  /** Both ends have agreed on raw bytes over `link.bytes`, with this nonce. Default: the caller asks for them with `bytes/open`. */
  byteNonce?: string
}

/** What only the server of this package gives. */
interface InternalServeOptions extends ServeOptions {
  expectBytes?: ClientOptions['expectBytes']
}

/**
 * Serves one of any number of callers of a host, or of a cluster, over a link: the protocol of `appfactory-host`. It ends with its caller, and the
 * host goes on. A caller that does not read its answers is refused further calls, and given up in the end; the others go on.
 *
 * Resolves when the caller has closed its end and has its answers, or has gone: then its calls have been cancelled, and its
 * sessions closed.
 *
 * @param system A `PluginHost`, or a `Cluster` of `@appfactory/cluster`. Any other one is a TypeError.
 * @example
 * server.on('connection', (socket) => serve(host, streamLink({ input: socket, output: socket })))
 */
export async function serve(
  system: PluginSystem,
  link: Link,
  options: InternalServeOptions = {},
): Promise<void> {
  const { rights = 'call', sequential = false, signal, onShutDown, byteNonce, expectBytes, node } = options
  const ending = new AbortController()
  const gone = new AbortController()
  const client = new Client(servedOf(system), {
    ...{ link, rights, sequential, isOnly: false, expectBytes, onShutDown, node },
    onEnd: () => ending.abort(),
    onGone: () => gone.abort(),
  })
  void link.closed.then(() => gone.abort())
  if (link.bytes && byteNonce !== undefined) client.useBytes(link.bytes, byteNonce)
  const stop = (): void => {
    client.refuse(hostShuttingDown())
    ending.abort()
  }
  // Any number of callers may share a signal.
  if (signal) allowListeners(signal)
  signal?.addEventListener('abort', stop, { once: true })
  if (signal?.aborted) stop()
  await Promise.race([aborted(ending.signal), aborted(gone.signal)])
  await Promise.race([client.idle(), aborted(gone.signal)])
  signal?.removeEventListener('abort', stop)
  client.flush()
  client.close(new PluginError('REQUEST_CANCELLED', 'The caller has gone'))
  link.close()
  await Promise.all([client.idle(), client.closeOwn()])
}
