import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import type { PluginSystem } from '@appfactory/host'
import { maxTimerMs } from '@appfactory/sdk/internal'
import type { Shared } from '../exchange.js'
import type { WyomingPort } from '../options.js'
import { Connection } from './connection.js'
import { DetailsOfPlugins } from './details.js'
import { Programs } from './programs.js'

/** How long clients of cancelled requests may take to read that they are. */
const lastWordsMs = 500

/** Ports for Home Assistant and other clients of the Wyoming protocol. */
export class WyomingServer {
  /** The ports that are open: those that were asked for, in order. */
  readonly ports: WyomingPort[] = []
  readonly #host: PluginSystem
  readonly #shared: Shared
  readonly #servers: Server[] = []
  readonly #details: DetailsOfPlugins
  readonly #connections = new Map<Connection, Promise<void>>()

  constructor(host: PluginSystem, shared: Shared) {
    this.#host = host
    this.#shared = shared
    this.#details = new DetailsOfPlugins(host, shared.directory)
  }

  /** @throws what Node’s `listen()` does. */
  async listen({ port, plugin }: WyomingPort, address: string): Promise<void> {
    const programs = new Programs(this.#host, this.#shared.directory, this.#details, plugin)
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const connection = new Connection(socket, this.#shared, programs)
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
      this.#connections.set(connection, closed)
      void closed.then(() => this.#connections.delete(connection))
    })
    const { maxConnections } = this.#shared.settings.limits
    if (Number.isFinite(maxConnections)) server.maxConnections = maxConnections
    server.listen(port, address)
    await once(server, 'listening')
    // A client that can’t be accepted, for want of files say, is no reason to end.
    server.on('error', () => {})
    this.#servers.push(server)
    this.ports.push({
      port: (server.address() as AddressInfo).port,
      ...(plugin === undefined ? {} : { plugin }),
    })
  }

  /** Waits for what is under way, at most `limits.drainTimeoutMs`, then ends it. */
  async close(): Promise<void> {
    for (const server of this.#servers) server.close()
    for (const connection of this.#connections.keys()) connection.finish()
    await this.#idle(this.#shared.settings.limits.drainTimeoutMs)
    for (const connection of this.#connections.keys()) connection.cancel()
    await this.#idle(lastWordsMs)
    for (const connection of this.#connections.keys()) connection.destroy()
    this.#details.close()
  }

  async #idle(ms: number): Promise<void> {
    if (this.#connections.size === 0) return
    const time = new AbortController()
    await Promise.race([
      Promise.all(this.#connections.values()),
      new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(ms, maxTimerMs))
        time.signal.addEventListener('abort', () => clearTimeout(timer))
      }),
    ])
    time.abort()
  }
}
