import { systemCodeOf } from '@appfactory/sdk/internal'
import { RequestError } from '../errors.js'
import type { Exchange } from '../exchange.js'
import type { Directory } from '../models.js'
import type { Settings } from '../options.js'
import type { McpEndpoint } from './http.js'

/** `/mcp` of one gateway. The packages that it needs are loaded at its first request. */
export class McpRoute {
  readonly #make: () => Promise<McpEndpoint>
  #endpoint: Promise<McpEndpoint> | undefined

  constructor(directory: Directory, { mcpRoot: root, onError }: Settings) {
    this.#make = async () => {
      const { McpEndpoint } = await import('./http.js').catch(refuse)
      return new McpEndpoint({ directory, root, onError: (error) => onError(error, 'mcp') })
    }
  }

  async answer(exchange: Exchange): Promise<void> {
    this.#endpoint ??= this.#make()
    await (await this.#endpoint).answer(exchange)
  }

  /** Ends what is still under way. */
  async close(): Promise<void> {
    await (await this.#endpoint?.catch(() => undefined))?.close()
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
