import type { Exchange } from './exchange.js'
import { completeChat } from './openai/chat.js'
import { completeText } from './openai/completions.js'
import { listModels, retrieveModel } from './openai/models.js'
import { createResponse, deleteResponse, retrieveResponse } from './openai/responses.js'
import { speak } from './openai/speech.js'
import { transcribe } from './openai/transcriptions.js'
import { listSpeechModels, listVoices } from './openai/voices.js'

/** Something that clients may ask for. */
export interface Route {
  method: 'GET' | 'POST' | 'DELETE'
  /** Without `/v1`. One that ends in `/*` takes any path below it. */
  path: string
  /** Whether it needs a key, if there are any; `listing`: unless lists are public. Default: true. */
  needsKey?: boolean | 'listing'
  answer(exchange: Exchange): Promise<void> | void
}

/** All that a gateway answers. There is no route that loads, swaps or configures plugins. */
export const routes: readonly Route[] = [
  { method: 'GET', path: '/', needsKey: false, answer: tellHealth },
  { method: 'GET', path: '/health', needsKey: false, answer: tellHealth },
  { method: 'GET', path: '/models', answer: listModels },
  { method: 'GET', path: '/models/*', answer: retrieveModel },
  { method: 'POST', path: '/chat/completions', answer: completeChat },
  { method: 'POST', path: '/completions', answer: completeText },
  { method: 'POST', path: '/responses', answer: createResponse },
  { method: 'GET', path: '/responses/*', answer: retrieveResponse },
  { method: 'DELETE', path: '/responses/*', answer: deleteResponse },
  { method: 'POST', path: '/audio/speech', answer: speak },
  { method: 'POST', path: '/audio/transcriptions', answer: transcribe },
  { method: 'GET', path: '/audio/voices', needsKey: 'listing', answer: listVoices },
  { method: 'GET', path: '/voices', needsKey: 'listing', answer: listVoices },
  { method: 'GET', path: '/audio/models', needsKey: 'listing', answer: listSpeechModels },
]

/** That the gateway is there. Nothing else: who asks has shown no key. */
function tellHealth(exchange: Exchange): void {
  exchange.sendJson({ status: 'ok' })
}

const exact = groupByPath(routes.filter(({ path }) => !path.endsWith('/*')))
const below = groupByPath(routes.filter(({ path }) => path.endsWith('/*')))

/** The routes of a path, one for each method. */
export function routesAt(path: string): readonly Route[] {
  const [, first = ''] = path.split('/', 2)
  return exact.get(path) ?? (path.length > first.length + 2 ? below.get(`/${first}/*`) : undefined) ?? []
}

function groupByPath(all: readonly Route[]): ReadonlyMap<string, Route[]> {
  const groups = new Map<string, Route[]>()
  for (const route of all) groups.set(route.path, [...(groups.get(route.path) ?? []), route])
  return groups
}
