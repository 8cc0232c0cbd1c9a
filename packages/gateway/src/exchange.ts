import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isTooLong, jsonObjectOf, readBody, refuseAllButJson } from './body.js'
import { errorBody, type Failure, gatewayClosing, wrongMember } from './errors.js'
import { targetOf } from './gate.js'
import type { Access, Key } from './keys.js'
import type { McpRoute } from './mcp/route.js'
import type { GatewayMetrics } from './metrics.js'
import type { Directory } from './models.js'
import type { StoredAnswers, StoredResponse } from './openai/stored-responses.js'
import type { Settings } from './options.js'

/** What the routes of a gateway share. */
export interface Shared {
  readonly settings: Settings
  readonly directory: Directory
  readonly mcp: McpRoute
  readonly stored: StoredAnswers<StoredResponse>
  /** What was spoken, by the ids of its sound. */
  readonly transcripts: StoredAnswers<string>
  /** Plugins that have told what an answer has used. */
  readonly counting: Set<string>
  /** Undefined: nothing is counted. */
  readonly metrics: GatewayMetrics | undefined
}

/** A request and its answer. What runs for it is cancelled when the client goes. */
export class Exchange {
  readonly id = requestId()
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly settings: Settings
  readonly mcp: McpRoute
  readonly stored: StoredAnswers<StoredResponse>
  readonly transcripts: StoredAnswers<string>
  readonly counting: Set<string>
  readonly metrics: GatewayMetrics | undefined
  /** What answers it, as the table of routes has it. */
  route: string | undefined
  /** The name of the plugin that answers it. */
  plugin: string | undefined
  /** When its answer began, by `performance.now()`. */
  answeredAt: number | undefined
  /** Whether it stays open without any work: nobody who closes the gateway waits for its end. */
  isStandby = false
  /** Without `/v1`, doubled slashes and a slash at the end: `/models/llm_llama`. */
  readonly path: string
  readonly #query: string
  #directory: Directory
  readonly #callbacks: (() => void)[] = []
  #key: Key | undefined
  readonly #abort = new AbortController()
  /** The client waits for `100 Continue` before it sends the body. */
  readonly #continueFirst: boolean

  constructor(
    { settings, directory, mcp, metrics, stored, transcripts, counting }: Shared,
    request: IncomingMessage,
    response: ServerResponse,
    continueFirst: boolean,
  ) {
    this.request = request
    this.response = response
    this.settings = settings
    this.#directory = directory
    this.mcp = mcp
    this.stored = stored
    this.transcripts = transcripts
    this.counting = counting
    this.metrics = metrics
    this.#continueFirst = continueFirst
    const [path = '', query = ''] = splitUrl(targetOf(request).url)
    this.path = routePath(path)
    this.#query = query
    response.once('close', () => {
      if (!response.writableFinished) this.cancel(new Error('The client has gone'))
      this.end()
    })
  }

  /** Calls back when its answer has ended, or its WebSocket. */
  onceOver(callback: () => void): void {
    this.#callbacks.push(callback)
  }

  /** Nothing follows any more. */
  end(): void {
    for (const callback of this.#callbacks.splice(0)) callback()
  }

  /** Aborted when nobody waits for the answer any more. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** The plugins, as far as the request’s key may use them. */
  get directory(): Directory {
    return this.#directory
  }

  /** Whose the answers are that are kept: one of each key. */
  get owner(): string {
    return this.#key?.digest.toString('hex') ?? ''
  }

  /** What its key may use; undefined: all. */
  get access(): Access | undefined {
    return this.#key?.access
  }

  /** How long its sound may be, in seconds. */
  get audioSeconds(): number {
    return this.#key?.audioSeconds ?? Number.POSITIVE_INFINITY
  }

  /** Lets the key that came with it bound what it may do. @throws RequestError 429. */
  takeKey(key: Key | undefined): void {
    this.#key = key
    if (key?.access) this.#directory = this.#directory.seenWith(key.access)
    key?.admit(this)
  }

  /** Heeds the header that forbids another plugin than the first one of a fallback. @throws RequestError 400. */
  takeFallback(): void {
    const asked = this.request.headers['x-appfactory-fallback']
    if (asked === 'false') this.#directory = this.#directory.withoutFallback()
    else if (asked !== undefined && asked !== 'true')
      throw wrongMember('x-appfactory-fallback', 'must be true or false')
  }

  /** Counts what is asked for in a session, as if it were a request of its own. @throws RequestError 429. */
  spend(): void {
    this.#key?.spend()
  }

  /** What its key has left, as events of Realtime tell it. */
  get rateLimits(): { name: 'requests'; limit: number; remaining: number; reset_seconds: number }[] {
    const requests = this.#key?.requestsLeft
    if (!requests) return []
    const { limit, left, fullMs } = requests
    return [{ name: 'requests', limit, remaining: left, reset_seconds: fullMs / 1000 }]
  }

  get query(): URLSearchParams {
    return new URLSearchParams(this.#query)
  }

  /** Cancels what runs for it. */
  cancel(reason: Error): void {
    if (!this.#abort.signal.aborted) this.#abort.abort(reason)
  }

  /** The body, where it is a JSON object. @throws RequestError. */
  async readJson(): Promise<object> {
    refuseAllButJson(this.request)
    const parts: Buffer[] = []
    await this.readParts(this.settings.limits.maxBodyBytes, (part) => parts.push(part))
    return jsonObjectOf(parts)
  }

  /** Reads the body as it is. @param take Gets each part as it comes. @throws RequestError 408 or 413. */
  readParts(maxBodyBytes: number, take: (part: Buffer) => void): Promise<void> {
    const { slowBodyMs } = this.settings.limits
    return readBody(this.request, { maxBodyBytes, slowBodyMs }, take, () => {
      if (this.#continueFirst) this.response.writeContinue()
    })
  }

  /** Tells the operator of an error that could not be foreseen. */
  report(error: unknown): void {
    this.settings.onError(error, this.id, this.#key?.name)
  }

  /** Tells which members of the request mean nothing to plugins. */
  tellIgnored(names: readonly string[]): void {
    if (names.length > 0 && !this.settings.quietHeaders)
      this.response.setHeader('x-appfactory-ignored', names.join(', '))
  }

  /** Tells that zeros in the usage mean nothing. */
  tellUnknownUsage(): void {
    if (!this.settings.quietHeaders) this.response.setHeader('x-appfactory-usage', 'unknown')
  }

  /** Begins the answer. */
  writeHead(status: number, headers: Readonly<Record<string, string | number>>): void {
    this.answeredAt = performance.now()
    // Faster than setHeader(), which this would be the only use of, and than an object of all.
    const list = ['x-request-id', this.id]
    for (const name in headers) list.push(name, String(headers[name]))
    this.response.writeHead(status, list)
  }

  /** Answers with JSON. */
  sendJson(value: unknown, status = 200, headers?: Readonly<Record<string, string>>): void {
    const body = JSON.stringify(value)
    const length = Buffer.byteLength(body)
    const common = {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'content-length': length,
    }
    this.writeHead(status, headers ? Object.assign(common, headers) : common)
    this.response.end(body)
  }

  /** Answers with an error, where no answer has begun. Of a body that is still on its way, little is read. */
  sendFailure(failure: Failure): void {
    if (this.response.headersSent || this.response.destroyed) return void this.response.destroy()
    const close = this.#mayBringMuch() ? { connection: 'close' } : {}
    this.sendJson(errorBody(failure), failure.status, { ...failure.headers, ...close })
  }

  /** Ends it because the gateway ends. */
  close(): void {
    const reason = gatewayClosing()
    this.cancel(reason)
    if (!this.response.headersSent) this.sendFailure(reason)
  }

  /** Whether the rest of the body is long, of unknown length, or only sent when it is asked for. */
  #mayBringMuch(): boolean {
    const { complete, headers } = this.request
    if (complete) return false
    const isUnknown = headers['transfer-encoding'] !== undefined || this.#continueFirst
    return isUnknown || isTooLong(this.request, this.settings.limits.maxBodyBytes)
  }
}

/** What an operator finds a request by. */
export function requestId(): string {
  return `req_${randomUUID().replaceAll('-', '')}`
}

function splitUrl(url: string): [path: string, query: string] {
  const at = url.indexOf('?')
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)]
}

/** Clients put `/v1` behind a base that has it already, or leave it out. */
function routePath(path: string): string {
  const plain = path.replace(/\/{2,}/g, '/').replace(/(.)\/$/, '$1')
  const inside = plain.replace(/^(\/v1)+(?=\/|$)/, '')
  return inside === '' ? '/' : inside
}
