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
})

export type TranscriptionRequest = z.infer<typeof transcriptionTable>
