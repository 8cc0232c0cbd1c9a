/// <reference types="node" preserve="true" />
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { closeServer } from '../http/server.js'
import type { PluginSystem } from '../plugin-system.js'
import { servedOf } from '../server/served.js'
import { sendEvents } from './events.js'
import { Gate, type Refusal } from './gate.js'
import { testerMethods } from './methods.js'
import { readPage, safeHeaders, sendAsset, sendNotice } from './page.js'
import { Recorder } from './recorder.js'
import { answerCalls, maxBodyBytes } from './rpc.js'
import { sendWire } from './wire.js'

export interface TesterOptions {
  /** Default: any free port. */
  port?: number | undefined
  /** Folder of `<plugin>.json` files, for the contract checks. Default: `./config`. */
  configDir?: string | undefined
}

/** A Plugin Tester that is being served. */
export interface Tester {
  readonly port: number
  /** A URL that opens the page in one browser, once. */
  issueUrl(): string
  /** Ends the server. What it serves goes on. */
  close(): Promise<void>
}

/** Serves the page of the Plugin Tester for a host, or a cluster, on 127.0.0.1. */
export async function serveTester(
  system: PluginSystem,
  { port = 0, configDir }: TesterOptions = {},
): Promise<Tester> {
  const served = servedOf(system)
  const server = createServer()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const { port: boundPort } = server.address() as AddressInfo
  const gate = new Gate(boundPort)
  const recorder = new Recorder(served)
  const page = readPage()
  const methods = testerMethods(configDir)
  const routes: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
    'GET /events': (_request, response) => sendEvents(recorder, response),
    'GET /wire': (request, response) => sendWire(served, targetOf(request).plugin ?? '', response),
    'POST /rpc': (request, response) => {
      const length = Number(request.headers['content-length'])
      if (!(length <= maxBodyBytes)) sendNotice(response, 413, [`A body has at most ${maxBodyBytes} bytes`])
      else answerCalls({ served, methods }, request, response)
    },
  }

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    for (const [name, value] of Object.entries(safeHeaders)) response.setHeader(name, value)
    const refusal = admit(request, response)
    if (refusal) sendNotice(response, refusal.status, refusal.reason)
    else serve(request, response)
  }

  function serve(request: IncomingMessage, response: ServerResponse): void {
    const { path } = targetOf(request)
    const asset = request.method === 'GET' ? page.get(path) : undefined
    const route = routes[`${request.method} ${path}`]
    // Send `100 Continue` now, after the request is authorised.
    if (request.headers.expect !== undefined) response.writeContinue()
    if (asset) sendAsset(response, asset)
    else if (route) route(request, response)
    else sendNotice(response, 404, ['There is no such page', 'The Plugin Tester is at <a href="/">/</a>.'])
  }

  /** Refuses a request, or lets it in. A valid token is exchanged for a cookie. */
  function admit(request: IncomingMessage, response: ServerResponse): Refusal | undefined {
    const { path, token } = targetOf(request)
    const isVisit = path === '/' && request.method === 'GET'
    const foreign = gate.refuseForeign(request, isVisit)
    if (foreign) return foreign
    // No redirect: after a link from another site, the browser would not send a strict cookie.
    const cookie = isVisit && token !== undefined ? gate.exchange(token) : undefined
    if (cookie === undefined) return gate.refuseStranger(request)
    response.setHeader('set-cookie', cookie)
    return undefined
  }

  server.on('request', answer)
  // Without this, Node sends `100 Continue` before the request is authorised.
  server.on('checkContinue', answer)

  return {
    port: boundPort,
    issueUrl: () => `${gate.origin}/?token=${gate.issueToken()}`,
    close: () => {
      recorder.close()
      return closeServer(server)
    },
  }
}

interface Target {
  path: string
  token: string | undefined
  plugin: string | undefined
}

function targetOf({ url = '/' }: IncomingMessage): Target {
  const [path = '/', query = ''] = url.split('?')
  const params = new URLSearchParams(query)
  return { path, token: params.get('token') ?? undefined, plugin: params.get('plugin') ?? undefined }
}
