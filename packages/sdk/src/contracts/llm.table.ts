import { z } from 'zod'
import { authorMap, bytes, providerOptions, resultExtras } from './common.table.js'
import type { ContractDefinition } from './contract.js'

export const toolCall = z.looseObject({
  id: z.string(),
  name: z.string(),
  arguments: authorMap.describe('As the tool’s own schema says.'),
})

export const contentPart = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('text'), text: z.string() }),
  z.looseObject({
    type: z.literal('image'),
    image: bytes,
    mediaType: z.string().describe('Such as image/png.'),
  }),
  z.looseObject({ type: z.literal('audio'), audio: bytes, format: z.string().describe('Such as wav.') }),
])

export const chatMessage = z.looseObject({
  role: z.enum(['system', 'user', 'assistant', 'tool']),
  content: z
    .union([z.string(), z.array(contentPart), z.null()])
    .describe('Text, or parts. null: an assistant that only calls tools.'),
  name: z.string().optional(),
  toolCalls: z.array(toolCall).optional().describe('Of an assistant: the tools that it wants to be called.'),
  toolCallId: z.string().optional().describe('Of a tool: the call that this answers.'),
})

const options = {
  model: z.string().optional().describe('One of get_models. Default: the plugin’s own.'),
  maxTokens: z.int().min(1).default(1024).describe('Most tokens to generate.'),
  temperature: z.number().min(0).max(10).default(0.7).describe('0 is the most predictable.'),
  topP: z.number().min(0).max(1).optional(),
  stopSequences: z.array(z.string()).optional().describe('Generation ends before any of these.'),
  seed: z.int().optional().describe('Same seed, same answer, where the engine can.'),
  responseFormat: z
    .strictObject({ type: z.enum(['text', 'json', 'json_schema']), schema: authorMap.optional() })
    .optional(),
  tools: z
    .array(
      z.strictObject({
        name: z.string(),
        description: z.string().optional(),
        parameters: authorMap.optional(),
      }),
    )
    .optional()
    .describe('Tools that the model may ask for; parameters is a JSON Schema.'),
  toolChoice: z
    .union([z.enum(['auto', 'none', 'required']), z.strictObject({ name: z.string() })])
    .optional(),
  providerOptions,
}

const finishReason = z.string().describe('stop, length, tool_calls, content_filter or cancelled.')

const completionExtras = {
  finishReason,
  tokensUsed: z.number().optional().describe('Prompt and answer together.'),
  model: z.string().optional(),
  ...resultExtras,
}

export const completionResult = z.looseObject({ text: z.string(), ...completionExtras })
export const chatResult = z.looseObject({ message: chatMessage, ...completionExtras })

export const textChunk = z.looseObject({
  text: z.string(),
  toolCalls: z.array(toolCall).optional(),
  ...completionExtras,
  finishReason: finishReason.optional(),
})

export const model = z.looseObject({
  id: z.string(),
  name: z.string().optional(),
  contextLength: z.number().optional().describe('In tokens.'),
})

const completion = z.strictObject({ prompt: z.string(), ...options })
const conversation = z.strictObject({ messages: z.array(chatMessage).min(1), ...options })

export const llmDefinition = {
  name: 'llm',
  version: '1.0.0',
  description: 'Language model',
  methods: {
    complete: {
      description: 'Goes on with a text.',
      parameters: ['prompt'],
      args: completion,
      result: completionResult,
      bare: 'text',
    },
    chat: {
      description: 'Answers a conversation.',
      parameters: ['messages'],
      args: conversation,
      result: chatResult,
      bare: 'message',
    },
    getModels: {
      description: 'Lists the models.',
      parameters: [],
      args: z.strictObject({}),
      result: z.array(model),
      idempotent: true,
    },
    streamComplete: {
      description: 'Goes on with a text, piece by piece.',
      kind: 'stream',
      required: false,
      parameters: ['prompt'],
      args: completion,
      piece: textChunk,
      result: completionResult,
      bare: 'text',
    },
    streamChat: {
      description: 'Answers a conversation, piece by piece.',
      kind: 'stream',
      required: false,
      parameters: ['messages'],
      args: conversation,
      piece: textChunk,
      result: chatResult,
      bare: 'text',
    },
  },
} as const satisfies ContractDefinition
