import { isLocalName } from '@appfactory/host/internal'
import { PluginError } from '@appfactory/sdk'
import { describeThrown, shortened } from '@appfactory/sdk/internal'
import {
  connect,
  errors,
  type NatsConnection,
  type NodeConnectionOptions,
  type Status,
} from '@nats-io/transport-node'
import type { Bus, BusChange, BusMessage, BusSubscription } from './bus.js'
import { readCredentials } from './credentials.js'
import { serverProblem, serverWarning } from './server-version.js'
import { tlsOptions } from './tls.js'

/** How to reach NATS. */
export interface NatsOptions {
  /**
   * Servers of one NATS cluster: `tls://nats.internal:4222`, several as an array or with commas between them. `nats://` goes
   * over the network in clear text, and is for servers on this machine.
   */
  nats: string | readonly string[]
  /**
   * File with what this process proves itself with: credentials (`.creds`), the seed of an nkey, or `user:password`. Its owner
   * alone should be able to read it. A line `# name: NAME` in it is the name of the caller. Default: none.
   */
  creds?: string | undefined
  /** Files in PEM: authorities besides those that Node knows; a certificate and its key, where the server asks for them. */
  tls?:
    | { caFile?: string | undefined; certFile?: string | undefined; keyFile?: string | undefined }
    | undefined
  /** Allows `nats://` to other machines. Default: false. */
  insecure?: boolean | undefined
  /** How long servers may take to let this process in at its start, in ms. Each is asked for 1.5 s at a time. Default: 5,000. */
  connectTimeoutMs?: number
  /** Takes what its operators should know, such as that the server has known holes. Default: nobody is told. */
  onWarning?: ((text: string) => void) | undefined
}

/**
 * How long one server may take to let this process in, in ms: then the next one is asked. It leaves links the time to be resumed, also
 * after a server that ended while it was asked: the client does not notice that.
 */
const handshakeMs = 1500

/** Both ends ask each other so often, in ms; after two asks without an answer the connection is lost. */
const pingMs = 5000

/**
 * Connects to NATS.
 *
 * @param name What the server shows as the name of the connection.
 * @param inbox Where answers of NATS itself go: nobody else may subscribe there. Default: of no use where others are let in.
 * @throws TypeError for options that are wrong; PluginError PLUGIN_NOT_READY, transient, where no server answers, and where
 *   none lets this process in, can be verified, or does what links need.
 */
export async function connectNats(options: NatsOptions, name: string, inbox?: string): Promise<NatsBus> {
  const servers = checkedServers(options)
  const { connectTimeoutMs = 5000, creds, tls, onWarning } = options
  const { authenticator } = creds === undefined ? {} : await readCredentials(creds)
  const client: NodeConnectionOptions = {
    servers,
    name,
    ...(inbox === undefined ? {} : { inboxPrefix: inbox }),
    timeout: Math.min(handshakeMs, connectTimeoutMs),
    maxReconnectAttempts: -1,
    reconnectDelayHandler: () => 100 + Math.random() * 150,
    pingInterval: pingMs,
    maxPingOut: 2,
    // A server may refuse for a moment while its configuration is read again.
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
    ...(authenticator ? { authenticator } : {}),
    ...(servers.some(isTls) || tls ? { tls: await tlsOptions(tls ?? {}, servers) } : {}),
  }
  const connection = await firstConnection(client, connectTimeoutMs).catch((error: unknown) => {
    throw notConnected(servers, error, creds)
  })
  const problem = serverProblem(connection.info)
  if (problem !== undefined) {
    await connection.close()
    throw unfit(servers, problem)
  }
  const warning = serverWarning(connection.info?.version)
  if (warning !== undefined) onWarning?.(warning)
  return new NatsBus(connection, onWarning)
}

/** Tries again where servers were silent, as long as there is time. */
async function firstConnection(
  client: NodeConnectionOptions,
  connectTimeoutMs: number,
): Promise<NatsConnection> {
  const until = performance.now() + connectTimeoutMs - handshakeMs
  for (;;) {
    try {
      return await connect(client)
    } catch (error) {
      if (!(error instanceof errors.TimeoutError) || performance.now() > until) throw error
    }
  }
}

/** The bus over a connection to NATS. */
export class NatsBus implements Bus {
  readonly #connection: NatsConnection
  readonly #listeners = new Set<(change: BusChange) => void>()
  #isConnected = true
  readonly #warn: (text: string) => void
  /** Addresses of the servers that are one cluster. */
  #servers: readonly string[]

  constructor(connection: NatsConnection, warn: (text: string) => void = () => {}) {
    this.#connection = connection
    this.#warn = warn
    this.#servers = addressesOf(connection)
    void this.#watch()
  }

  get isConnected(): boolean {
    return this.#isConnected
  }

  /** For what NATS has beside messages. */
  get connection(): NatsConnection {
    return this.#connection
  }

  publish(subject: string, data: Uint8Array, reply?: string): void {
    if (!this.#isConnected) return
    try {
      this.#connection.publish(subject, data, reply === undefined ? {} : { reply })
    } catch (error) {
      // Too large for this server, which may not be the first one: it is lost, and links notice that.
      this.#warn(`NATS does not take ${data.length} bytes for ${subject}: ${describeThrown(error).message}`)
    }
  }

  subscribe(subject: string, take: (message: BusMessage) => void): BusSubscription {
    return this.#connection.subscribe(subject, {
      // What a subscription is refused for comes by `status()` as well.
      callback: (error, message) => {
        if (!error) take(message)
      },
    })
  }

  flush(): Promise<void> {
    return this.#connection.flush()
  }

  onChange(listen: (change: BusChange) => void): () => void {
    this.#listeners.add(listen)
    return () => void this.#listeners.delete(listen)
  }

  /** Takes nothing any more, and closes when all that was published has been sent. */
  async close(): Promise<void> {
    if (this.#connection.isClosed()) return
    // Without a connection, there is nothing to wait for.
    const wasConnected = this.#isConnected
    this.#isConnected = false
    if (wasConnected) await this.#connection.drain().catch(() => {})
    await this.#connection.close().catch(() => {})
  }

  async #watch(): Promise<void> {
    for await (const status of this.#connection.status()) this.#take(status)
    this.#isConnected = false
    this.#tell({ type: 'closed' })
  }

  #take(status: Status): void {
    if (status.type === 'disconnect') {
      this.#isConnected = false
      this.#tell({ type: 'lost' })
    } else if (status.type === 'reconnect') {
      this.#isConnected = true
      this.#tell({ type: 'back' })
    } else if (status.type === 'ldm' || (status.type === 'update' && this.#hasLostServer()))
      this.#tell({ type: 'moved' })
    else if (status.type === 'error' && status.error instanceof errors.PermissionViolationError) {
      const { operation, subject } = status.error
      this.#tell({ type: 'refused', operation, subject })
    }
  }

  /** Whether one of them has gone since the last time. The client itself tells of those only that nobody has named to it. */
  #hasLostServer(): boolean {
    const before = this.#servers
    this.#servers = addressesOf(this.#connection)
    return before.some((address) => !this.#servers.includes(address))
  }

  #tell(change: BusChange): void {
    for (const listen of [...this.#listeners]) listen(change)
  }
}

function addressesOf({ info }: NatsConnection): readonly string[] {
  return info?.connect_urls ?? []
}

function isTls(server: string): boolean {
  return server.startsWith('tls://')
}

/** @throws TypeError */
function checkedServers({ nats, insecure = false }: NatsOptions): string[] {
  const servers = [nats].flat().flatMap((text) => String(text).split(','))
  for (const server of servers) checkServer(server.trim(), insecure)
  return servers.map((server) => server.trim())
}

function checkServer(server: string, insecure: boolean): void {
  // It may hold a password.
  const shown = shortened(server.replace(/\/\/.*@/, '//…@'))
  const url = URL.canParse(server) ? new URL(server) : undefined
  if (!url || !['nats:', 'tls:'].includes(url.protocol) || url.hostname === '')
    throw new TypeError(
      `nats: "${shown}" is no address of a NATS server. Write nats://127.0.0.1:4222 or tls://nats.example:4222`,
    )
  if (url.username !== '' || url.password !== '')
    throw new TypeError(
      `nats: "${shown}" has a password in it, which others can see. Put user:password into a file, and name it in creds (--creds)`,
    )
  if (url.protocol === 'nats:' && !insecure && !isLocalName(url.host))
    throw new TypeError(
      `nats: "${shown}" would send all calls over the network in clear text. Use tls://, or allow that with insecure (--insecure)`,
    )
}

function notConnected(servers: readonly string[], error: unknown, creds: string | undefined): PluginError {
  const { message } = describeThrown(error)
  const isRefused =
    error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError
  const { problem, advice, isLasting } = isRefused
    ? refused(creds)
    : (wordings.find(({ says }) => says.test(message)) ?? silent)
  return new PluginError('PLUGIN_NOT_READY', `${problem} at ${servers.join(', ')}: ${message}. ${advice}`, {
    servers: [...servers],
    lost: 'link',
    transient: !isLasting,
  })
}

function unfit(servers: readonly string[], problem: string): PluginError {
  return new PluginError('PLUGIN_NOT_READY', `The NATS server at ${servers.join(', ')} ${problem}`, {
    servers: [...servers],
    transient: false,
  })
}

const refused = (creds: string | undefined) => ({
  problem: 'NATS does not let this process in',
  advice:
    creds === undefined
      ? 'It has given no credentials: name their file in creds (--creds)'
      : 'Check the file that creds (--creds) names',
  isLasting: true,
})

const silent = {
  problem: 'No NATS server answers',
  advice: 'Check the address, that it is running, and that it takes more connections (max_connections)',
  isLasting: false,
}

/** By what the client says. */
const wordings = [
  {
    says: /certificate|altnames/i,
    problem: 'The certificate of the NATS server can’t be verified',
    advice:
      'Name the authority that has signed it in tls.caFile (--nats-ca), and the server by a name that is in it',
    isLasting: true,
  },
  {
    says: /does not support 'tls'/,
    problem: 'The NATS server has no TLS',
    advice: 'Give it a certificate, or use nats:// where the server is on this machine',
    isLasting: true,
  },
] as const
