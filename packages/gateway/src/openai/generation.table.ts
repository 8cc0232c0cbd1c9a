import { z } from 'zod'

export const authorMap = z.record(z.string(), z.unknown())

/** Members of chat and of completions alike. Those that are only hints are in `hints`. */
export const generation = {
  model: z.string().min(1),
  stream: z.boolean().optional(),
  streamOptions: z.looseObject({ includeUsage: z.boolean().optional() }).optional(),
  maxTokens: z.int().min(1).optional(),
  temperature: z.number().min(0).max(2).optional(),
  topP: z.number().min(0).max(1).optional(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).optional(),
  seed: z.int().optional(),
  n: z.int().min(1).max(8).optional(),
}

/** What a plugin may know how to take, and nothing is wrong if it doesn’t: it is in `providerOptions.openai`. */
export const hints = {
  frequencyPenalty: z.number().min(-2).max(2).optional(),
  presencePenalty: z.number().min(-2).max(2).optional(),
  logitBias: authorMap.optional(),
  user: z.string().optional(),
  metadata: authorMap.optional(),
  store: z.boolean().optional(),
  serviceTier: z.string().optional(),
  reasoningEffort: z.string().optional(),
  verbosity: z.string().optional(),
  prediction: authorMap.optional(),
  promptCacheKey: z.string().optional(),
  promptCacheRetention: z.string().optional(),
  safetyIdentifier: z.string().optional(),
}

/** Hints as a request has them. */
export type Hints = Partial<z.infer<z.ZodObject<typeof hints>>>

/** A function that a model may ask for. */
export const namedTool = z.looseObject({
  name: z.string().min(1).max(128),
  description: z.string().optional(),
  parameters: authorMap.optional(),
})

export type NamedTool = z.infer<typeof namedTool>

export const toolName = z.looseObject({ name: z.string() })

/** A call in the history. Its arguments are what some model wrote, or some client made of that: nothing is wrong with them. */
const calledFunction = z.looseObject({ name: z.string(), arguments: z.unknown().optional() })

/** The body of `POST /chat/completions`. Messages are checked further in messages.ts. */
export const chatTable = z.looseObject({
  ...generation,
  ...hints,
  messages: z
    .array(
      z.looseObject({
        role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
        content: z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]).optional(),
        name: z.string().optional(),
        toolCalls: z
          .array(
            z.looseObject({
              id: z.string(),
              function: calledFunction,
            }),
          )
          .optional(),
        toolCallId: z.string().optional(),
        reasoningContent: z.string().optional(),
        audio: z.looseObject({ id: z.string() }).optional(),
        functionCall: calledFunction.optional(),
      }),
    )
    .min(1),
  maxCompletionTokens: z.int().min(1).optional(),
  tools: z
    .array(z.looseObject({ type: z.string(), function: namedTool.optional() }))
    .max(128)
    .optional(),
  toolChoice: z
    .union([
      z.enum(['auto', 'none', 'required']),
      z.looseObject({ type: z.literal('function'), function: toolName }),
      z.looseObject({
        type: z.literal('allowed_tools'),
        allowedTools: z.looseObject({
          mode: z.enum(['auto', 'required']),
          tools: z.array(z.looseObject({ function: toolName })),
        }),
      }),
    ])
    .optional(),
  parallelToolCalls: z.boolean().optional(),
  functions: z.array(namedTool).max(128).optional(),
  functionCall: z.union([z.enum(['auto', 'none']), toolName]).optional(),
  responseFormat: z
    .looseObject({
      type: z.enum(['text', 'json_object', 'json_schema']),
      jsonSchema: z.looseObject({ schema: authorMap }).optional(),
    })
    .optional(),
  logprobs: z.boolean().optional(),
  topLogprobs: z.int().min(0).max(20).optional(),
  modalities: z.array(z.string()).optional(),
  audio: z
    .looseObject({
      format: z.enum(['wav', 'aac', 'mp3', 'flac', 'opus', 'pcm16']),
      voice: z.union([z.string().min(1), z.looseObject({ id: z.string().min(1) })]).optional(),
    })
    .optional(),
})

export type ChatRequest = z.infer<typeof chatTable>

/** The body of `POST /completions`. */
export const completionTable = z.looseObject({
  ...generation,
  ...hints,
  prompt: z.union([z.string(), z.array(z.string()).min(1).max(1)]),
  echo: z.boolean().optional(),
  suffix: z.string().optional(),
  bestOf: z.int().min(1).max(20).optional(),
  logprobs: z.int().min(0).max(5).optional(),
})

export type CompletionRequest = z.infer<typeof completionTable>

/** The names of the hints on the wire, by those in the tables. */
export const hintNames: readonly (keyof typeof hints)[] = Object.keys(hints).filter(isHint)

function isHint(name: string): name is keyof typeof hints {
  return name in hints
}
