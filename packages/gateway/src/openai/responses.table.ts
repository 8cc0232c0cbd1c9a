import { z } from 'zod'
import { authorMap, hints, namedTool, toolName } from './generation.table.js'

const part = z.looseObject({ type: z.string() })

/** What a conversation is made of. Which members an item needs depends on its type: response-input.ts checks that. */
const item = z.looseObject({
  type: z.string().optional(),
  id: z.string().optional(),
  role: z.enum(['system', 'developer', 'user', 'assistant']).optional(),
  content: z.union([z.string(), z.array(part)]).optional(),
  callId: z.string().optional(),
  name: z.string().optional(),
  arguments: z.unknown().optional(),
  output: z.union([z.string(), z.array(part)]).optional(),
  summary: z.array(part).optional(),
})

/** A list of items. */
export const itemsTable = z.looseObject({ input: z.array(item) })

export type GivenItem = z.infer<typeof item>

/** The body of `POST /responses`. */
export const responseTable = z.looseObject({
  ...hints,
  model: z.string().min(1),
  input: z.union([z.string(), z.array(item)]).optional(),
  instructions: z.string().optional(),
  stream: z.boolean().optional(),
  maxOutputTokens: z.int().min(1).optional(),
  maxToolCalls: z.int().min(1).optional(),
  temperature: z.number().min(0).max(2).optional(),
  topP: z.number().min(0).max(1).optional(),
  tools: z
    .array(z.looseObject({ ...namedTool.partial().shape, type: z.string(), strict: z.boolean().optional() }))
    .max(128)
    .optional(),
  toolChoice: z
    .union([
      z.enum(['auto', 'none', 'required']),
      z.looseObject({ type: z.literal('function'), name: z.string() }),
      z.looseObject({
        type: z.literal('allowed_tools'),
        mode: z.enum(['auto', 'required']),
        tools: z.array(toolName),
      }),
    ])
    .optional(),
  parallelToolCalls: z.boolean().optional(),
  text: z
    .looseObject({
      format: z
        .looseObject({
          type: z.enum(['text', 'json_object', 'json_schema']),
          name: z.string().optional(),
          description: z.string().optional(),
          schema: authorMap.optional(),
          strict: z.boolean().optional(),
        })
        .optional(),
      verbosity: z.enum(['low', 'medium', 'high']).optional(),
    })
    .optional(),
  reasoning: z
    .looseObject({
      effort: z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']).optional(),
      summary: z.enum(['auto', 'concise', 'detailed']).optional(),
      generateSummary: z.enum(['auto', 'concise', 'detailed']).optional(),
    })
    .optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  store: z.boolean().optional(),
  previousResponseId: z.string().optional(),
  truncation: z.enum(['auto', 'disabled']).optional(),
  include: z.array(z.string()).optional(),
  topLogprobs: z.int().min(0).max(20).optional(),
  background: z.boolean().optional(),
  conversation: z.union([z.string(), authorMap]).optional(),
  prompt: authorMap.optional(),
})

export type ResponseRequest = z.infer<typeof responseTable>
