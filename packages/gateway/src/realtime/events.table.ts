import { z } from 'zod'
import { bodyReader } from '../schema.js'

const authorMap = z.record(z.string(), z.unknown())

const format = z.looseObject({
  type: z.enum(['audio/pcm', 'audio/pcmu', 'audio/pcma']),
  rate: z.int().min(8000).max(96_000).optional(),
})

const betaFormat = z.enum(['pcm16', 'g711_ulaw', 'g711_alaw'])

const transcription = z.looseObject({
  model: z.string().min(1).optional(),
  language: z.string().optional(),
  languages: z.array(z.string()).optional(),
  prompt: z.string().optional(),
})

/** `none` is what some clients of the beta send for null. */
const turnDetection = z.looseObject({
  type: z.enum(['server_vad', 'semantic_vad', 'none']).optional(),
  threshold: z.number().min(0).max(1).optional(),
  prefixPaddingMs: z.number().min(0).max(10_000).optional(),
  silenceDurationMs: z.number().min(0).max(60_000).optional(),
  createResponse: z.boolean().optional(),
  interruptResponse: z.boolean().optional(),
})

const modalities = z.array(z.enum(['text', 'audio'])).min(1)
const voice = z.union([z.string().min(1), z.looseObject({ id: z.string().min(1) })])
const speed = z.number().min(0.25).max(4)
const tools = z
  .array(
    z.looseObject({
      type: z.string().optional(),
      name: z.string().min(1).max(128).optional(),
      description: z.string().optional(),
      parameters: authorMap.optional(),
    }),
  )
  .max(128)
const toolChoice = z.union([
  z.enum(['auto', 'none', 'required']),
  z.looseObject({ type: z.string(), name: z.string().optional() }),
])
const maxTokens = z.union([z.int().min(1), z.literal('inf')])

/** What sessions and single answers have in common. */
const generation = {
  instructions: z.string().optional(),
  outputModalities: modalities.optional(),
  modalities: modalities.optional(),
  voice: voice.optional(),
  outputAudioFormat: betaFormat.optional(),
  tools: tools.optional(),
  toolChoice: toolChoice.optional(),
  temperature: z.number().min(0).max(2).optional(),
  maxOutputTokens: maxTokens.optional(),
  maxResponseOutputTokens: maxTokens.optional(),
}

const output = z.looseObject({
  format: format.optional(),
  voice: voice.optional(),
  speed: speed.optional(),
})

/** A session, as it is named today and as it was in the beta. */
const session = z.looseObject({
  ...generation,
  type: z.enum(['realtime', 'transcription']).optional(),
  model: z.string().min(1).optional(),
  audio: z
    .looseObject({
      input: z
        .looseObject({
          format: format.optional(),
          transcription: transcription.nullable().optional(),
          turnDetection: turnDetection.nullable().optional(),
        })
        .optional(),
      output: output.optional(),
    })
    .optional(),
  speed: speed.optional(),
  inputAudioFormat: betaFormat.optional(),
  inputAudioTranscription: transcription.nullable().optional(),
  turnDetection: turnDetection.nullable().optional(),
})

const item = z.looseObject({
  id: z.string().min(1).max(128).optional(),
  type: z.string().optional(),
  role: z.string().optional(),
  content: z
    .array(
      z.looseObject({
        type: z.string(),
        text: z.string().optional(),
        audio: z.string().optional(),
        transcript: z.string().optional(),
      }),
    )
    .optional(),
  name: z.string().optional(),
  arguments: z.string().optional(),
  callId: z.string().optional(),
  output: z.string().optional(),
})

const response = z.looseObject({
  ...generation,
  conversation: z.string().optional(),
  input: z.array(item).max(1000).optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  audio: z.looseObject({ output: output.optional() }).optional(),
})

const update = z.looseObject({ session })
const nothing = z.looseObject({})
const named = z.looseObject({ itemId: z.string() })

/** Reads the events that clients send, by their types. Each may have an `event_id`, which errors tell. */
export const eventReaders = {
  'session.update': bodyReader(update),
  'transcription_session.update': bodyReader(update),
  'input_audio_buffer.append': bodyReader(z.looseObject({ audio: z.string() })),
  'input_audio_buffer.commit': bodyReader(nothing),
  'input_audio_buffer.clear': bodyReader(nothing),
  'output_audio_buffer.clear': bodyReader(nothing),
  'conversation.item.create': bodyReader(z.looseObject({ previousItemId: z.string().optional(), item })),
  'conversation.item.retrieve': bodyReader(named),
  'conversation.item.delete': bodyReader(named),
  'conversation.item.truncate': bodyReader(
    z.looseObject({
      ...named.shape,
      contentIndex: z.int().min(0).optional(),
      audioEndMs: z.number().min(0),
    }),
  ),
  'response.create': bodyReader(z.looseObject({ response: response.optional() })),
  'response.cancel': bodyReader(z.looseObject({ responseId: z.string().optional() })),
}

export type EventType = keyof typeof eventReaders
export type ClientEvent<Type extends EventType> = ReturnType<(typeof eventReaders)[Type]>
export type GivenSession = z.infer<typeof session>
export type GivenItem = z.infer<typeof item>
export type GivenResponse = z.infer<typeof response>
export type GivenFormat = z.infer<typeof format>
export type GivenGeneration = Pick<GivenResponse, keyof typeof generation | 'audio'>
