import { z } from 'zod'

/** The fields of `POST /audio/transcriptions`, beside the file. */
export const transcriptionTable = z.looseObject({
  model: z.string().min(1),
  language: z.string().min(1).optional(),
  prompt: z.string().optional(),
  responseFormat: z.enum(['json', 'text', 'srt', 'verbose_json', 'vtt', 'diarized_json']).optional(),
  temperature: z.number().min(0).max(1).optional(),
  timestampGranularities: z.array(z.enum(['word', 'segment'])).optional(),
  stream: z.boolean().optional(),
  include: z.array(z.string()).optional(),
  languages: z.array(z.string().min(1)).optional(),
  keywords: z.array(z.string().min(1)).optional(),
  chunkingStrategy: z.union([z.literal('auto'), z.looseObject({ type: z.literal('server_vad') })]).optional(),
  knownSpeakerNames: z.array(z.string()).max(4).optional(),
  knownSpeakerReferences: z.array(z.string()).max(4).optional(),
})

export type TranscriptionRequest = z.infer<typeof transcriptionTable>
