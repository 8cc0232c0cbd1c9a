import { isUint8Array } from 'node:util/types'
import { z } from 'zod'

/** Raw bytes in TypeScript; a base64 string in a `…_b64` field of a JSON message. */
export const bytes = z.custom<Uint8Array>((value) => isUint8Array(value), 'must be a Uint8Array')

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

/** When a word is spoken: `word`, `startMs`, `endMs`, `confidence` (0–1) where known. */
export type WordTiming = z.output<typeof wordTiming>
