import { randomBytes } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { PluginError } from '@appfactory/sdk'
import { maxTimerMs, toErrorObject } from '@appfactory/sdk/internal'
import { hostShuttingDown, tooManyCallers, unknownToken } from '../errors.js'
import { lineOf } from '../link/first-line.js'
import type { Link } from '../link/link.js'
import { streamLink } from '../link/stream-link.js'
import { checkedNumbers, count } from '../numbers.js'
import type { PluginSystem } from '../plugin-system.js'
import { type ServeOptions, serve } from './serve.js'
import { listenAt } from './socket-path.js'

/** The longest line that a connection for bytes may begin with. */
const maxAttachBytes = 1024

interface Attach {
  id: unknown
  token: string
}

/** Where a host is served, and to whom. */
export interface SocketOptions extends Pick<ServeOptions, 'rights' | 'onShutDown'> {
  /** Path of a Unix socket, which only this user may connect to, or of a named pipe of Windows: `\\.\pipe\appfactory`. */
  path: string
  /** Callers at once: a whole number, or Infinity. More are told RESOURCE_EXHAUSTED. Default: 1,024. */
  maxCallers?: number
}

/** A host that is served at a path. */
export interface HostSocket extends AsyncDisposable {
  /** Where. */
  readonly path: string
  /** How many callers there are. */
  readonly callers: number
  /**
   * Accepts no more callers, lets calls in flight finish, closes all connections and removes the socket. Done once.
   *
   * @param timeoutMs How long calls may take; after that they are cancelled. Default: 10,000.
   */
  close(timeoutMs?: number): Promise<void>
}

/**
 * Serves a host to any number of callers at a path: each over a connection of its own, as `serve()` does. The host goes on when
 * this is closed.
 *
 * @throws Error that says why the path can't be listened on; TypeError for a limit that is no number.
 * @example await using socket = await serveSocket(host, { path: '/run/user/1000/appfactory.sock' })
 */
export async function serveSocket(system: PluginSystem, options: SocketOptions): Promise<HostSocket> {
  const { maxCallers = 1024 } = checkedNumbers<Pick<SocketOptions, 'maxCallers'>>(options, {
    maxCallers: count,
  })
  const served = new SocketServer(system, { ...options, maxCallers })
  await listenAt(served.server, options.path)
  return served
}

class SocketServer implements HostSocket {
  readonly path: string
  readonly server: Server
  readonly #system: PluginSystem
  readonly #options: SocketOptions & { maxCallers: number }
  readonly #stop = new AbortController()
  /** Connections that have not said yet what they are for. */
  readonly #unknown = new Set<Socket>()
  /** The link of each caller, and the end of its service. */
  readonly #callers = new Map<Link, Promise<void>>()
  /** What takes connections of bytes, by their tokens. */
  readonly #awaited = new Map<string, (bytes: Socket) => void>()
  #closed: Promise<void> | undefined

  constructor(system: PluginSystem, options: SocketOptions & { maxCallers: number }) {
    this.#system = system
    this.#options = options
    this.path = options.path
    // A caller that has said all may still read.
    this.server = createServer({ allowHalfOpen: true }, (socket) => void this.#accept(socket))
  }

  get callers(): number {
    return this.#callers.size
  }

  close(timeoutMs = 10_000): Promise<void> {
    this.#closed ??= this.#close(timeoutMs)
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(timeoutMs: number): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve))
    this.#stop.abort()
    for (const socket of this.#unknown) socket.destroy()
    const gone = Promise.all(this.#callers.values())
    const timer = new AbortController()
    const late = delay(Math.min(timeoutMs, maxTimerMs), undefined, { signal: timer.signal }).catch(() => {})
    await Promise.race([gone, late])
    timer.abort()
    for (const link of this.#callers.keys()) link.close(hostShuttingDown())
    await gone
    await closed
  }

  async #accept(socket: Socket): Promise<void> {
    socket.on('error', () => {})
    if (this.#unknown.size >= this.#options.maxCallers) {
      refuse(socket, tooManyCallers(this.#options.maxCallers))
      return
    }
    this.#unknown.add(socket)
    const { line, rest } = await lineOf(socket, maxAttachBytes)
    this.#unknown.delete(socket)
    const attach = attachOf(line)
    if (attach) this.#attach(socket, attach)
    else {
      if (line) socket.unshift(line)
      this.#serve(socket, rest)
    }
  }

  /** @param rest What came without the end of a line, before the end of all. */
  #serve(socket: Socket, rest: Buffer | undefined): void {
    const { rights = 'call', maxCallers, onShutDown } = this.#options
    if (this.#stop.signal.aborted || this.#callers.size >= maxCallers) {
      refuse(socket, this.#stop.signal.aborted ? hostShuttingDown() : tooManyCallers(maxCallers))
      return
    }
    // One write at a time: what waits then shows how much has been taken.
    Reflect.set(socket, '_writev', undefined)
    const link = streamLink({ input: rest ? Readable.from([rest]) : socket, output: socket })
    let token: string | undefined
    const served = serve(this.#system, link, {
      ...{ rights, signal: this.#stop.signal },
      ...(onShutDown ? { onShutDown } : {}),
      expectBytes: (arrived) => {
        token = randomBytes(16).toString('hex')
        this.#awaited.set(token, (bytes) => {
          void link.closed.then(() => bytes.destroySoon())
          arrived(bytes)
        })
        return { token }
      },
    })
    const ended = served.finally(() => {
      this.#callers.delete(link)
      if (token !== undefined) this.#awaited.delete(token)
    })
    this.#callers.set(link, ended)
    socket.resume()
  }

  /** A second connection of a caller, for its bytes. */
  #attach(socket: Socket, { id, token }: Attach): void {
    const take = this.#awaited.get(token)
    this.#awaited.delete(token)
    if (!take) {
      socket.end(`${JSON.stringify({ jsonrpc: '2.0', id, error: toErrorObject(unknownToken()) })}\n`)
      return
    }
    socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, result: true })}\n`)
    socket.once('end', () => socket.end())
    take(socket)
    socket.resume()
  }
}

/** The request that a connection for bytes begins with. */
function attachOf(line: Buffer | undefined): Attach | undefined {
  if (!line?.includes('"bytes/attach"')) return undefined
  try {
    const { id = null, method, params } = Object(JSON.parse(line.toString()))
    const token: unknown = Object(params).token
    return method === 'bytes/attach' ? { id, token: String(token) } : undefined
  } catch {
    return undefined
  }
}

/** A caller that is not served learns why. */
function refuse(socket: Socket, error: PluginError): void {
  streamLink({ input: socket, output: socket }).close(error)
}
