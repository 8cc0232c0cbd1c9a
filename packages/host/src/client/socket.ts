import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { PluginError } from '@appfactory/sdk'
import { fromErrorObject, type Peer } from '@appfactory/sdk/internal'
import { lineOf } from '../link/first-line.js'
import type { Link } from '../link/link.js'
import { streamLink } from '../link/stream-link.js'
import { newNonce, type OpenPeerOptions, openPeer } from './open-peer.js'

/** The longest answer to `bytes/attach`. */
const maxAnswerBytes = 8192

/** Connects to a host at a path: one connection for messages, and one for bytes. */
export async function openSocket(
  path: string,
  options: Pick<OpenPeerOptions, 'onNotification'>,
): Promise<{ link: Link; peer: Peer }> {
  const socket = await dial(path)
  const link = streamLink({ input: socket, output: socket })
  const peer = await openPeer(link, options)
  try {
    await openBytes(peer, link, path)
    return { link, peer }
  } catch (error) {
    link.close()
    throw error
  }
}

async function dial(path: string): Promise<Socket> {
  const socket = createConnection({ path, allowHalfOpen: true })
  await once(socket, 'connect')
  return socket
}

async function openBytes(peer: Peer, link: Link, path: string): Promise<void> {
  const nonce = newNonce()
  const { token } = (await peer.request('bytes/open', { nonce })) as { token: string }
  const socket = await dial(path)
  socket.on('error', () => {})
  void link.closed.then(() => socket.destroySoon())
  socket.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'bytes/attach', params: { token } })}\n`)
  const { line } = await lineOf(socket, maxAnswerBytes)
  checkAnswer(line)
  peer.receiveBytes(socket, nonce)
  peer.sendBytes()
  socket.once('end', () => socket.end()).resume()
}

/** @throws PluginError */
function checkAnswer(line: Buffer | undefined): void {
  const { error } = Object(line === undefined ? undefined : JSON.parse(line.toString()))
  if (error) throw fromErrorObject(error)
  if (line === undefined)
    throw new PluginError('REQUEST_CANCELLED', 'The host has closed the connection for bytes')
}
