import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isTooLong, readBody, readJson } from './body.js'
import { errorBody, type Failure, gatewayClosing } from './errors.js'
import type { Directory } from './models.js'
import type { StoredResponses } from './openai/stored-responses.js'
import type { Settings } from './options.js'

const jsonHeaders = { 'content-type': 'application/json', 'cache-control': 'no-store' }

/** What the routes of a gateway share. */
export interface Shared {
  readonly settings: Settings
  readonly directory: Directory
  readonly stored: StoredResponses
}

/** A request and its answer. What runs for it is cancelled when the client goes. */
export class Exchange {
  readonly id = requestId()
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly directory: Directory
  readonly settings: Settings
  readonly stored: StoredResponses
  /** Which of the keys the client has shown; -1: none. */
  key = -1
  /** Without `/v1`, doubled slashes and a slash at the end: `/models/llm_llama`. */
  readonly path: string
  readonly #query: string
  readonly #abort = new AbortController()
  /** The client waits for `100 Continue` before it sends the body. */
  readonly #continueFirst: boolean

  constructor(
    { settings, directory, stored }: Shared,
    request: IncomingMessage,
    response: ServerResponse,
    continueFirst: boolean,
  ) {
    this.request = request
    this.response = response
    this.settings = settings
    this.directory = directory
    this.stored = stored
    this.#continueFirst = continueFirst
    const [path = '', query = ''] = splitUrl(request.url ?? '/')
    this.path = routePath(path)
    this.#query = query
    response.once('close', () => {
      if (!response.writableFinished) this.cancel(new Error('The client has gone'))
    })
  }

  /** Aborted when nobody waits for the answer any more. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  get query(): URLSearchParams {
    return new URLSearchParams(this.#query)
  }

  /** Cancels what runs for it. */
  cancel(reason: Error): void {
    if (!this.#abort.signal.aborted) this.#abort.abort(reason)
  }

  /** The body, where it is a JSON object. @throws RequestError. */
  readJson(): Promise<object> {
    if (this.#continueFirst) this.response.writeContinue()
    return readJson(this.request, this.settings.limits)
  }

  /** The body as it is. @throws RequestError 408 or 413. */
  readBytes(maxBodyBytes: number): Promise<Buffer> {
    if (this.#continueFirst) this.response.writeContinue()
    return readBody(this.request, { ...this.settings.limits, maxBodyBytes })
  }

  /** Tells which members of the request mean nothing to plugins. */
  tellIgnored(names: readonly string[]): void {
    if (names.length > 0 && !this.settings.quietHeaders)
      this.response.setHeader('x-appfactory-ignored', names.join(', '))
  }

  /** Begins the answer. */
  writeHead(status: number, headers: Readonly<Record<string, string | number>>): void {
    // Faster than setHeader(), which this would be the only use of.
    this.response.writeHead(status, { 'x-request-id': this.id, ...headers })
  }

  /** Answers with JSON. */
  sendJson(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): void {
    const body = JSON.stringify(value)
    const length = Buffer.byteLength(body)
    this.writeHead(status, { ...jsonHeaders, 'content-length': length, ...headers })
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
