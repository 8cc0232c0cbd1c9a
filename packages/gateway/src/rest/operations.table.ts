import type { JsonSchema } from '@appfactory/sdk'
import { z } from 'zod'
import { embeddingTable } from '../openai/embeddings.table.js'
import { chatTable, completionTable } from '../openai/generation.table.js'
import { responseTable } from '../openai/responses.table.js'
import { speechTable } from '../openai/speech.table.js'
import { transcriptionTable } from '../openai/transcriptions.table.js'

/** What a route is called in the OpenAPI document, and what comes in and goes out. */
export interface Operation {
  summary: string
  /** The body, which is JSON. */
  json?: z.ZodType
  /** The fields of the body, which is a form with a file. */
  form?: z.ZodType
  /** Types of an answer that is not JSON, or not always. Default: application/json only. */
  answers?: readonly string[]
  /** The parameters in the query. */
  query?: readonly string[]
  /** What a part of the path stands for. */
  path?: string
}

const json = 'application/json'
const events = 'text/event-stream'

/** Every route that is the same whatever plugins there are. Those of the plugins’ methods are made from their schemas. */
export const operations: Readonly<Record<string, Operation>> = {
  'GET /': { summary: 'Tells that the gateway is there.' },
  'GET /health': { summary: 'Tells that the gateway is there.' },
  'GET /models': { summary: 'Lists all names of models.' },
  'GET /models/*': { summary: 'Shows one model.', path: 'model' },
  'POST /chat/completions': {
    summary: 'Answers a conversation.',
    json: chatTable,
    answers: [json, events],
  },
  'POST /completions': { summary: 'Goes on with a text.', json: completionTable, answers: [json, events] },
  'POST /responses': { summary: 'Answers items.', json: responseTable, answers: [json, events] },
  'GET /responses/{response}': { summary: 'Shows an answer that is kept.', path: 'response' },
  'DELETE /responses/{response}': { summary: 'Drops an answer that is kept.', path: 'response' },
  'POST /responses/{response}/cancel': {
    summary: 'Refuses: no answer is made in the background.',
    path: 'response',
  },
  'GET /responses/{response}/input_items': {
    summary: 'Lists the items that an answer was made of.',
    path: 'response',
    query: ['after', 'limit', 'order'],
  },
  'POST /embeddings': { summary: 'Turns texts into vectors.', json: embeddingTable },
  'POST /audio/speech': {
    summary: 'Converts text to audio.',
    json: speechTable,
    answers: ['audio/mpeg', 'audio/ogg', 'audio/aac', 'audio/flac', 'audio/wav', 'audio/pcm', events],
  },
  'POST /audio/transcriptions': {
    summary: 'Converts audio to text.',
    form: transcriptionTable,
    answers: [json, 'text/plain', events],
  },
  'GET /audio/voices': { summary: 'Lists voices.', query: ['model'] },
  'GET /voices': { summary: 'Lists voices.', query: ['model'] },
  'GET /audio/models': { summary: 'Lists the plugins that speak.' },
  'GET /realtime': { summary: 'Opens a WebSocket on which one speaks with plugins.', query: ['model'] },
  'GET /plugins': { summary: 'Lists the loaded plugins.' },
  'GET /plugins/{plugin}': { summary: 'Shows a plugin and its methods.', path: 'plugin' },
  'GET /openapi.json': { summary: 'Describes all this.' },
  'GET /mcp': { summary: 'Tells a client of MCP what changes.', answers: [events] },
  'POST /mcp': { summary: 'Answers a client of MCP.', json: z.looseObject({}), answers: [json, events] },
  'GET /metrics': { summary: 'Tells Prometheus what was done.', answers: ['text/plain'] },
  'DELETE /mcp': { summary: 'Ends the session of a client of MCP.' },
}

/** The body of every answer that is an error. */
export const errorSchema: JsonSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'param', 'code'],
      properties: {
        message: { type: 'string' },
        type: { type: 'string' },
        param: { type: ['string', 'null'] },
        code: { type: ['string', 'null'] },
      },
    },
  },
}
