import type { IncomingMessage } from 'node:http'
import { isFromElsewhere, isLocalName, nameOfHost, soleHostOf } from '@appfactory/host/internal'
import { RequestError } from './errors.js'
import type { Exchange } from './exchange.js'
import type { Key } from './keys.js'
import type { Settings } from './options.js'

/** Access control. Only the headers of a request are looked at, before any of its body is read. */
export class Gate {
  readonly #settings: Settings

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** Refuses who addresses another host, and pages that are not allowed. @throws RequestError 403. */
  refuseForeign(request: IncomingMessage): void {
    const host = soleHostOf(request)
    // A page may have its own name resolved to this machine.
    if (host === undefined || !this.#isOwn(host, request)) throw wrongHost(host)
    const { host: meant = host } = targetOf(request)
    if (!this.#isOwn(meant, request)) throw wrongHost(meant)
    const { origin } = request.headers
    if (origin !== undefined && !this.#settings.origins.has(origin)) throw wrongOrigin(origin)
    if (origin === undefined && isFromElsewhere(request.headers)) throw wrongOrigin('another site')
  }

  /** Tells the browser of an allowed page that it may read the answer. Whether it was a preflight, which has its answer then. */
  allowPage(exchange: Exchange): boolean {
    const { request, response } = exchange
    const { origin } = request.headers
    if (origin === undefined) return false
    response.setHeader('access-control-allow-origin', origin)
    response.setHeader('vary', 'origin')
    const asked = request.headers['access-control-request-method']
    if (request.method !== 'OPTIONS' || asked === undefined) {
      response.setHeader('access-control-expose-headers', exposed)
      return false
    }
    exchange.writeHead(204, {
      'access-control-allow-methods': 'GET, POST, DELETE',
      'access-control-allow-headers': request.headers['access-control-request-headers'] ?? 'content-type',
      'access-control-max-age': '600',
    })
    response.end()
    return true
  }

  /**
   * The key of a request.
   *
   * @param needed Whether a request without one is refused, if there are keys.
   * @param others Where else keys may stand.
   * @throws RequestError 401.
   */
  keyOf({ headers }: IncomingMessage, needed: boolean, others: readonly string[] = []): Key | undefined {
    const { keys } = this.#settings
    if (keys.isEmpty) return undefined
    const [, bearer] = /^bearer +(\S+)$/i.exec(headers.authorization ?? '') ?? []
    for (const sent of [bearer, headers['x-api-key'], ...others]) {
      const key = typeof sent === 'string' ? keys.find(sent) : undefined
      if (key) return key
    }
    if (!needed) return undefined
    throw new RequestError(401, noKey, { code: 'invalid_api_key', headers: { 'www-authenticate': 'Bearer' } })
  }

  /** Whether a Host header names this gateway, with any port: there may be a tunnel. */
  #isOwn(host: string, { socket }: IncomingMessage): boolean {
    if (isLocalName(host)) return true
    const name = nameOfHost(host)
    return name !== '' && (this.#settings.hostNames.has(name) || name === addressOf(socket.localAddress))
  }
}

/** What a request asks for. Clients behind a proxy write the host in front of the path, and that one counts. */
export function targetOf({ url = '/' }: IncomingMessage): { host?: string; url: string } {
  const [, host, path = ''] = /^https?:\/\/([^/?]*)(.*)$/i.exec(url) ?? []
  return host === undefined ? { url } : { host, url: path }
}

const exposed = [
  ...['x-request-id', 'retry-after', 'x-should-retry', 'x-appfactory-ignored', 'mcp-session-id'],
  ...['x-ratelimit-limit-requests', 'x-ratelimit-remaining-requests', 'x-ratelimit-reset-requests'],
].join(', ')
const noKey = 'A key is needed: send it as "Authorization: Bearer KEY", or as x-api-key'

/** An address that was reached over IPv4, as clients write it. */
function addressOf(address = ''): string {
  return address.replace(/^::ffff:/, '').toLowerCase()
}

function wrongHost(host: string | undefined): RequestError {
  const what =
    host === undefined || host === ''
      ? 'The request has not one Host header'
      : 'The Host header names another host'
  return new RequestError(
    403,
    `${what}. Ask for 127.0.0.1 or localhost, or allow the name with --host-name (hostNames)`,
    {
      code: 'host_not_allowed',
    },
  )
}

function wrongOrigin(origin: string): RequestError {
  const shown = origin.slice(0, 100)
  return new RequestError(403, `Pages of ${shown} may not ask. Allow the origin with --cors (cors)`, {
    code: 'origin_not_allowed',
  })
}
