import { z } from 'zod'

/** Most texts of one request, and most characters of one text. */
export const mostTexts = 2048
const mostCharacters = 262_144

const text = z.string().min(1).max(mostCharacters)

/** The body of `POST /embeddings`. */
export const embeddingTable = z.looseObject({
  model: z.string().min(1),
  input: z.union([text, z.array(text).min(1).max(mostTexts)]),
  encodingFormat: z.enum(['float', 'base64']).optional(),
  dimensions: z.int().min(1).optional(),
  user: z.string().optional(),
})

export type EmbeddingRequest = z.infer<typeof embeddingTable>
