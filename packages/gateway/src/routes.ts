import { RequestError } from './errors.js'
import type { Exchange } from './exchange.js'
import { completeChat } from './openai/chat.js'
import { completeText } from './openai/completions.js'
import { embed } from './openai/embeddings.js'
import { listModels, retrieveModel } from './openai/models.js'
import {
  cancelResponse,
  createResponse,
  deleteResponse,
  listInputItems,
  retrieveResponse,
} from './openai/responses.js'
import { speak } from './openai/speech.js'
import { transcribe } from './openai/transcriptions.js'
import { listSpeechModels, listVoices } from './openai/voices.js'
import { describeApi } from './rest/openapi.js'
import { callMethod, describePlugin, listPlugins } from './rest/plugins.js'

/** Something that clients may ask for. */
export interface Route {
  method: 'GET' | 'POST' | 'DELETE'
  /** Without `/v1`. `{name}` takes one part of a path; `/*` at the end, any path below. */
  path: string
  /** Whether it needs a key, if there are any; `listing`, `metrics`: unless these are public. Default: true. */
  needsKey?: boolean | 'listing' | 'metrics'
  /** The option without which it is not there. Default: it always is. */
  option?: 'rest' | 'mcp' | 'metrics'
  answer(exchange: Exchange): Promise<void> | void
  /** Whether it is for a WebSocket; `answer` is for who asks without. */
  isSocket?: boolean
}

/** All that a gateway answers. There is no route that loads, swaps or configures plugins. */
export const routes: readonly Route[] = [
  { method: 'GET', path: '/', needsKey: false, answer: tellHealth },
  { method: 'GET', path: '/health', needsKey: false, answer: tellHealth },
  { method: 'GET', path: '/models', answer: listModels },
  { method: 'GET', path: '/models/*', answer: retrieveModel },
  { method: 'POST', path: '/chat/completions', answer: completeChat },
  { method: 'POST', path: '/completions', answer: completeText },
  { method: 'POST', path: '/embeddings', answer: embed },
  { method: 'POST', path: '/responses', answer: createResponse },
  { method: 'GET', path: '/responses/{response}', answer: retrieveResponse },
  { method: 'DELETE', path: '/responses/{response}', answer: deleteResponse },
  { method: 'POST', path: '/responses/{response}/cancel', answer: cancelResponse },
  { method: 'GET', path: '/responses/{response}/input_items', answer: listInputItems },
  { method: 'POST', path: '/audio/speech', answer: speak },
  { method: 'POST', path: '/audio/transcriptions', answer: transcribe },
  { method: 'GET', path: '/realtime', isSocket: true, answer: askForSocket },
  { method: 'GET', path: '/audio/voices', needsKey: 'listing', answer: listVoices },
  { method: 'GET', path: '/voices', needsKey: 'listing', answer: listVoices },
  { method: 'GET', path: '/audio/models', needsKey: 'listing', answer: listSpeechModels },
  { method: 'GET', path: '/plugins', option: 'rest', answer: listPlugins },
  { method: 'GET', path: '/plugins/{plugin}', option: 'rest', answer: describePlugin },
  { method: 'POST', path: '/plugins/{plugin}/{method}', option: 'rest', answer: callMethod },
  { method: 'GET', path: '/openapi.json', option: 'rest', answer: tellApi },
  { method: 'GET', path: '/mcp', option: 'mcp', answer: answerMcp },
  { method: 'POST', path: '/mcp', option: 'mcp', answer: answerMcp },
  { method: 'DELETE', path: '/mcp', option: 'mcp', answer: answerMcp },
  { method: 'GET', path: '/metrics', needsKey: 'metrics', option: 'metrics', answer: sendMetrics },
]

function askForSocket(): never {
  throw new RequestError(426, 'This is for a WebSocket. Connect to it as ws://…/v1/realtime', {
    code: 'upgrade_required',
    headers: { upgrade: 'websocket' },
  })
}

/** That the gateway is there. Nothing else: who asks has shown no key. */
function tellHealth(exchange: Exchange): void {
  exchange.sendJson({ status: 'ok' })
}

function sendMetrics(exchange: Exchange): void {
  exchange.metrics?.send(exchange)
}

function answerMcp(exchange: Exchange): Promise<void> {
  return exchange.mcp.answer(exchange)
}

function tellApi(exchange: Exchange): Promise<void> {
  return describeApi(exchange, routes)
}

const byPath = groupByPath(routes)
const patterns = [...byPath].flatMap(([path, all]) =>
  /[*{]/.test(path) ? [{ path: patternOf(path), all }] : [],
)

/** The routes of a path, one for each method. */
export function routesAt(path: string): readonly Route[] {
  return byPath.get(path) ?? patterns.find((each) => each.path.test(path))?.all ?? []
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+').replace(/\*$/, '.+')}$`)
}

function groupByPath(all: readonly Route[]): ReadonlyMap<string, Route[]> {
  const groups = new Map<string, Route[]>()
  for (const route of all) groups.set(route.path, [...(groups.get(route.path) ?? []), route])
  return groups
}
