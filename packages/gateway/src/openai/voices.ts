import type { Voice } from '@appfactory/sdk'
import type { Exchange } from '../exchange.js'

/** `GET /audio/voices`, in the form that Open WebUI reads: the voices of `?model=…`, or of all plugins that speak. */
export async function listVoices(exchange: Exchange): Promise<void> {
  const model = exchange.query.get('model')
  const voices = model === null ? await allVoices(exchange) : await voicesOf(exchange, model)
  // Several plugins may call a voice the same.
  const byId = new Map(voices.map(({ id, name = id }) => [id, { id, name }]))
  exchange.sendJson({ voices: [...byId.values()] })
}

/** `GET /audio/models`: what speaks. */
export async function listSpeechModels(exchange: Exchange): Promise<void> {
  const models = await exchange.directory.list()
  const speaking = models.filter(({ contract }) => contract === 'tts')
  exchange.sendJson({ models: speaking.map(({ id }) => ({ id })) })
}

async function voicesOf({ directory, signal }: Exchange, model: string): Promise<Voice[]> {
  const { handle } = await directory.tts.find(model)
  return handle.getVoices({ signal })
}

/** A plugin that can’t tell its voices keeps nobody from those of the others. */
async function allVoices(exchange: Exchange): Promise<Voice[]> {
  const models = await exchange.directory.list()
  const speaking = models.filter(({ contract }) => contract === 'tts')
  const lists = await Promise.all(speaking.map(({ id }) => voicesOf(exchange, id).catch(() => [])))
  return lists.flat()
}
