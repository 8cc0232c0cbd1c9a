import { isUint8Array } from 'node:util/types'
import { z } from 'zod'

/** A name for the declarations: TypeScript before 5.7 does not know the `Uint8Array<ArrayBufferLike>` that would stand there. */
export interface BytesSchema extends z.ZodType<Uint8Array, Uint8Array> {}

/** Raw bytes in TypeScript; a base64 string in a `…_b64` field of a JSON message. */
export const bytes: BytesSchema = z.custom<Uint8Array>((value) => isUint8Array(value), 'must be a Uint8Array')

/** A map that belongs to the author: its keys are never renamed. */
export const authorMap = z.record(z.string(), z.unknown())

export const providerOptions = authorMap.optional().describe('Passed to the engine untouched.')

/** Optional fields of every result, if the engine knows them. */
export const resultExtras = {
  usage: z
    .looseObject({
      characters: z.number().optional().describe('Characters of text that were processed.'),
      audioMs: z.number().optional().describe('Audio that was processed, in ms.'),
      promptTokens: z.number().optional(),
      completionTokens: z.number().optional(),
      totalTokens: z.number().optional(),
    })
    .optional()
    .describe('What the call used.'),
  warnings: z.array(z.string()).optional().describe('What was ignored or assumed.'),
  metadata: authorMap.optional().describe('Anything else, as the plugin names it.'),
}

export const wordTiming = z.looseObject({
  word: z.string(),
  startMs: z.number().describe('Start, in ms from the beginning.'),
  endMs: z.number().describe('End, in ms from the beginning.'),
  confidence: z.number().optional().describe('From 0 to 1.'),
})
