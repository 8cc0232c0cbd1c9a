import { z } from 'zod'

/** Longest text that is spoken at once, in characters: an hour or so. */
export const mostCharacters = 65_536

/** The body of `POST /audio/speech`. */
export const speechTable = z.looseObject({
  model: z.string().min(1),
  input: z.string().max(mostCharacters),
  voice: z.union([z.string().min(1), z.looseObject({ id: z.string().min(1) })]).optional(),
  responseFormat: z.enum(['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm']).optional(),
  streamFormat: z.enum(['audio', 'sse']).optional(),
  speed: z.number().min(0.25).max(4).optional(),
  instructions: z.string().optional(),
  // Members that other servers have.
  sampleRate: z.int().min(8000).max(48_000).optional(),
  language: z.string().min(1).optional(),
  langCode: z.string().min(1).optional(),
  stream: z.boolean().optional(),
})

export type SpeechRequest = z.infer<typeof speechTable>
