import { randomBytes } from 'node:crypto'
import { PluginError } from '@appfactory/sdk'
import { type IncomingCall, Peer, type WireTap } from '@appfactory/sdk/internal'
import type { Link } from '../link/link.js'

export interface OpenPeerOptions {
  /** Takes notifications of the host, such as `event`. Default: they are ignored. */
  onNotification?(method: string, params: IncomingCall['params']): void
  /** Both ends have agreed on raw bytes over `link.bytes`, with this nonce. Default: the host is asked, where the link has bytes. */
  byteNonce?: string | undefined
  /** What calls fail with where the link is closed without an error. Default: REQUEST_CANCELLED, the host has closed it. */
  lost?: PluginError | undefined
  tap?: WireTap | undefined
}

/**
 * The caller's end of a link that `serve()` has the other end of: a peer with raw bytes where the link has them. Its calls fail
 * when the link is closed, with why if that is known.
 *
 * @throws PluginError Why the link was closed meanwhile.
 */
export async function openPeer(link: Link, options: OpenPeerOptions = {}): Promise<Peer> {
  const peer = createPeer(link, options)
  if (!link.bytes) return peer
  const nonce = options.byteNonce ?? newNonce()
  peer.receiveBytes(link.bytes, nonce)
  if (options.byteNonce === undefined) await peer.request('bytes/open', { nonce })
  peer.sendBytes()
  return peer
}

/** Stands in each reference to bytes of a connection, so that no data can be taken for one. */
export function newNonce(): string {
  return randomBytes(12).toString('hex')
}

function createPeer(link: Link, { onNotification, tap, lost = closedByHost() }: OpenPeerOptions): Peer {
  let reason: PluginError | undefined
  const peer = new Peer({
    ...{ input: link.input, output: link.output, tap },
    handle: ({ method, params }) => onNotification?.(method, params),
    // The host's last word comes before the end.
    onClosing: (error) => {
      reason = error
    },
    onEnd: () => {
      link.close()
      void link.closed.then(close)
    },
  })
  const close = (error: PluginError | undefined): void => peer.close(error ?? reason ?? lost)
  link.watch?.(() => peer.callsAwaited > 0)
  // Closed without an error, what was written before is still read.
  void link.closed.then((error) => {
    const { readableEnded, destroyed } = link.input
    if (error || readableEnded || destroyed) close(error)
  })
  return peer
}

function closedByHost(): PluginError {
  return new PluginError('REQUEST_CANCELLED', 'The host has closed the connection')
}
