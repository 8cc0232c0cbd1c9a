import type { EmbeddingOptions, EmbeddingResult } from '@appfactory/sdk'
import type { OpenAI } from 'openai'
import { wrongMember } from '../errors.js'
import type { Exchange } from '../exchange.js'
import { bodyReader } from '../schema.js'
import { type EmbeddingRequest, embeddingTable } from './embeddings.table.js'
import { tellUsage } from './generation.js'

const readEmbedding = bodyReader(embeddingTable)

/** Texts that a plugin gets at once: an answer of more would not fit into a message. */
const batchSize = 64

type Usage = OpenAI.CreateEmbeddingResponse['usage']

/** `POST /embeddings` */
export async function embed(exchange: Exchange): Promise<void> {
  const body = await exchange.readJson()
  refuseTokens(Reflect.get(body, 'input'))
  const request = readEmbedding(body)
  const { handle, model } = await exchange.directory.embedding.find(request.model)
  exchange.plugin = handle.name
  if (request.user !== undefined) exchange.tellIgnored(['user'])
  const options = optionsOf(exchange, request, model)
  const texts = [request.input].flat()
  const data: object[] = []
  const usage: Usage = { prompt_tokens: 0, total_tokens: 0 }
  for (let start = 0; start < texts.length; start += batchSize) {
    const result = await handle.embed(texts.slice(start, start + batchSize), options)
    for (const vector of result.embeddings) data.push(embeddingBody(vector, data.length, request))
    addUsage(usage, result)
  }
  tellUsage(exchange, usage.total_tokens > 0)
  exchange.sendJson({ object: 'list', data, model: request.model, usage })
}

/** Each model has tokens of its own, so their numbers say nothing to a plugin. */
function refuseTokens(input: unknown): void {
  const [first] = Array.isArray(input) ? input : []
  if (typeof first !== 'number' && !Array.isArray(first)) return
  throw wrongMember(
    'input',
    'must be text or an array of texts, not tokens. In LangChain for Python, set check_embedding_ctx_length=False',
  )
}

function optionsOf(
  { signal }: Exchange,
  { dimensions }: EmbeddingRequest,
  model: string | undefined,
): EmbeddingOptions {
  return {
    signal,
    ...(model === undefined ? {} : { model }),
    ...(dimensions === undefined ? {} : { dimensions }),
  }
}

function embeddingBody(
  vector: readonly number[],
  index: number,
  { encodingFormat }: EmbeddingRequest,
): object {
  const embedding = encodingFormat === 'base64' ? asBase64(vector) : vector
  return { object: 'embedding', index, embedding }
}

/** Numbers of 32 bits, the lowest byte first. */
function asBase64(vector: readonly number[]): string {
  const bytes = Buffer.alloc(4 * vector.length)
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, 4 * index)
  return bytes.toString('base64')
}

function addUsage(sum: Usage, { usage }: EmbeddingResult): void {
  const { promptTokens, totalTokens } = usage ?? {}
  sum.prompt_tokens += promptTokens ?? totalTokens ?? 0
  sum.total_tokens += totalTokens ?? promptTokens ?? 0
}
