import { z } from 'zod'
import { mostCharacters } from '../openai/speech.table.js'

/** What clients send with their events, as far as it means something here. */
const language = z.string().optional()
const voice = z.looseObject({ name: z.string().optional(), language }).optional()
const textFormat = z.string().optional()
const words = z.array(z.string()).optional()

export const pingTable = z.looseObject({ text: z.string().optional() })
export const selectTable = z.looseObject({ name: z.string() })

/** Plain samples: `width` is in bytes, `rate` in Hz. */
export const soundTable = z.looseObject({
  rate: z.int().min(1000).max(384_000),
  width: z.int().min(1).max(4),
  channels: z.int().min(1).max(8),
})
export type SoundFormat = z.infer<typeof soundTable>

export const transcribeTable = z.looseObject({
  name: z.string().optional(),
  language,
  transcriptNames: words,
  transcriptTerms: words,
})
export type TranscribeRequest = z.infer<typeof transcribeTable>

/** `conversationId` is the same in each sentence of a conversation, on whatever connection. */
export const transcriptTable = z.looseObject({
  text: z.string(),
  language,
  context: z.looseObject({ conversationId: z.unknown().optional() }).optional(),
})
export type TranscriptRequest = z.infer<typeof transcriptTable>

export const speechTable = z.looseObject({ voice, textFormat })
export type SpeechRequest = z.infer<typeof speechTable>

export const textTable = z.looseObject({ text: z.string().max(mostCharacters) })
