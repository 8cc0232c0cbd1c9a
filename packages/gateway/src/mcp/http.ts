import { randomUUID } from 'node:crypto'
import { NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest } from '@modelcontextprotocol/node'
import { createMcpHandler, isLegacyRequest, type Server } from '@modelcontextprotocol/server'
import { RequestError } from '../errors.js'
import type { Exchange } from '../exchange.js'
import { type McpSource, mcpServer, onToolsChanged } from './server.js'

/** Clients at once that have a session. The one that has been silent longest makes room for the next. */
const mostSessions = 256

/** A client of the protocol’s versions up to 2025: it has a session of its own. */
interface Session {
  server: Server
  transport: NodeStreamableHTTPServerTransport
}

/** `/mcp`: the Streamable HTTP transport, for all versions of the protocol. */
export class McpEndpoint {
  readonly #source: McpSource
  readonly #modern
  readonly #answerModern
  /** In the order of their last requests. */
  readonly #sessions = new Map<string, Session>()
  readonly #stopListening: () => void

  constructor(source: McpSource) {
    this.#source = source
    this.#modern = createMcpHandler(() => mcpServer(source), { legacy: 'reject', onerror: source.onError })
    this.#answerModern = toNodeHandler(this.#modern, { onerror: source.onError })
    this.#stopListening = onToolsChanged(source, () => this.#tellChange())
  }

  /** @throws RequestError where the body is wrong. */
  async answer(exchange: Exchange): Promise<void> {
    const { response } = exchange
    const { method = 'GET', url = '/' } = exchange.request
    const request = Object.assign(exchange.request, { method, url })
    const body = method === 'POST' ? await exchange.readJson() : undefined
    // It stays open for what may come: nobody waits for its end.
    exchange.isStandby = body === undefined || methodOf(body) === 'subscriptions/listen'
    response.setHeader('x-request-id', exchange.id)
    if (await isLegacyRequest(await toWebRequest(request, body), body)) {
      const session = await this.#session(exchange)
      return session.transport.handleRequest(request, response, body)
    }
    return this.#answerModern(request, response, body)
  }

  /** Ends what is still under way. */
  async close(): Promise<void> {
    this.#stopListening()
    await Promise.all([...this.#sessions.values()].map(({ server }) => server.close()))
    await this.#modern.close()
  }

  /** The session that a request names, or one that is about to begin. @throws RequestError 404. */
  async #session({ request }: Exchange): Promise<Session> {
    const id = request.headers['mcp-session-id']
    if (typeof id !== 'string') return this.#begin()
    const session = this.#sessions.get(id)
    if (!session)
      throw new RequestError(404, 'There is no such session. Begin a new one', { code: 'session_not_found' })
    this.#sessions.delete(id)
    this.#sessions.set(id, session)
    return session
  }

  async #begin(): Promise<Session> {
    const server = mcpServer(this.#source)
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => this.#keep(id, { server, transport }),
    })
    transport.onclose = () => void this.#sessions.delete(transport.sessionId ?? '')
    await server.connect(transport)
    return { server, transport }
  }

  #keep(id: string, session: Session): void {
    this.#sessions.set(id, session)
    const [oldest] = this.#sessions.values()
    if (this.#sessions.size > mostSessions && oldest) void oldest.server.close()
  }

  #tellChange(): void {
    this.#modern.notify.toolsChanged()
    for (const { server } of this.#sessions.values()) server.sendToolListChanged().catch(this.#source.onError)
  }
}

function methodOf(body: object): unknown {
  return Reflect.get(body, 'method')
}
