import { systemCodeOf } from '@appfactory/sdk/internal'
import { RequestError } from '../errors.js'
import type { Exchange } from '../exchange.js'
import type { Access } from '../keys.js'
import type { Directory } from '../models.js'
import type { Settings } from '../options.js'
import type { McpEndpoint } from './http.js'

class Endpoints extends Map<Access | undefined, Promise<McpEndpoint>> {}

/** `/mcp` of one gateway. The packages that it needs are loaded at its first request. */
export class McpRoute {
  readonly #directory: Directory
  readonly #settings: Settings
  /** One for each set of plugins that keys may use: its sessions are theirs alone. With and without fallback. */
  readonly #endpoints = { true: new Endpoints(), false: new Endpoints() }

  constructor(directory: Directory, settings: Settings) {
    this.#directory = directory
    this.#settings = settings
  }

  async answer(exchange: Exchange): Promise<void> {
    const { access, directory } = exchange
    const endpoints = this.#endpoints[`${directory.mayFallBack}`]
    const endpoint = endpoints.get(access) ?? this.#make(access, directory.mayFallBack)
    endpoints.set(access, endpoint)
    await (await endpoint).answer(exchange)
  }

  /** Ends what is still under way. */
  async close(): Promise<void> {
    const ended = Object.values(this.#endpoints)
      .flatMap((each) => [...each.values()])
      .map(async (endpoint) => (await endpoint).close())
    await Promise.allSettled(ended)
  }

  async #make(access: Access | undefined, mayFallBack: boolean): Promise<McpEndpoint> {
    const { McpEndpoint } = await import('./http.js').catch(refuse)
    const directory = this.#directory
    const { mcpRoot: root, onError } = this.#settings
    return new McpEndpoint({
      get directory() {
        const seen = access ? directory.seenWith(access) : directory
        return mayFallBack ? seen : seen.withoutFallback()
      },
      root,
      onError: (error) => onError(error, 'mcp'),
    })
  }
}

function refuse(error: unknown): never {
  if (systemCodeOf(error) !== 'ERR_MODULE_NOT_FOUND') throw error
  throw new RequestError(
    501,
    'MCP needs two packages that are not installed here: npm install @modelcontextprotocol/server @modelcontextprotocol/node',
    { code: 'unsupported_operation' },
  )
}
