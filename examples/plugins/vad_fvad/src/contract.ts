import { defineContract } from '@appfactory/sdk'
import { z } from 'zod'

const segment = z.object({
  startMs: z.number().describe('Where speech begins, in ms.'),
  endMs: z.number().describe('Where it ends, in ms.'),
})

/** A stretch of speech. */
export type Segment = z.output<typeof segment>

const args = z.strictObject({
  // On the wire this is base64 in `audio_b64`; here it is bytes.
  audio: z.instanceof(Uint8Array).describe('A WAV file.'),
})

/** Voice activity detection. The SDK has no such contract: this is all that it takes to make one. */
export const VADContract = defineContract({
  name: 'vad',
  version: '1.0.0',
  description: 'Voice activity detection',
  methods: {
    detect: {
      description: 'Tells where somebody speaks.',
      args,
      result: z.object({
        segments: z.array(segment),
        speechMs: z.number().describe('Time that somebody speaks, in ms.'),
        durationMs: z.number().describe('Time that the audio lasts, in ms.'),
      }),
      // It changes nothing, so the host may try again when the process crashes.
      idempotent: true,
    },
    detectStream: {
      description: 'Tells where somebody speaks, each stretch as soon as it is found.',
      kind: 'stream',
      args,
      piece: segment,
      // What a caller gets who wants one answer: all pieces.
      result: z.array(segment),
      idempotent: true,
    },
  },
})

/** What a plugin of this contract implements. */
export type VADMethods = typeof VADContract.definition.methods
