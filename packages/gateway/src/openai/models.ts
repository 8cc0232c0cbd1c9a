import type { OpenAI } from 'openai'
import { modelNotFound } from '../errors.js'
import type { Exchange } from '../exchange.js'
import type { ListedModel } from '../models.js'

/** `GET /models` */
export async function listModels(exchange: Exchange): Promise<void> {
  const models = await exchange.directory.list()
  exchange.sendJson({ object: 'list', data: models.map((model) => modelBody(model, exchange)) })
}

/** `GET /models/ID`: slashes of the id may be encoded or not. */
export async function retrieveModel(exchange: Exchange): Promise<void> {
  const id = decoded(exchange.path.slice('/models/'.length))
  const model = (await exchange.directory.list()).find((each) => each.id === id)
  if (!model) throw modelNotFound(id)
  exchange.sendJson(modelBody(model, exchange))
}

function modelBody({ id, owner }: ListedModel, { directory: { created } }: Exchange): OpenAI.Model {
  return { id, object: 'model', created, owned_by: owner }
}

/** What can’t be decoded is the name of no model. */
function decoded(id: string): string {
  try {
    return decodeURIComponent(id)
  } catch {
    return id
  }
}
