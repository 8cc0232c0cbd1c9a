import { z } from 'zod'
import { bytes, providerOptions, resultExtras, wordTiming } from './common.table.js'
import type { ContractDefinition } from './contract.js'

const options = {
  format: z.string().optional().describe('Format of the audio where it has no header: pcm_s16le…'),
  sampleRate: z.int().min(1000).max(384_000).optional().describe('Sample rate of headerless audio, in Hz.'),
  wordTimestamps: z.boolean().optional().describe('Return the time of each word.'),
  diarization: z.boolean().optional().describe('Tell speakers apart.'),
  prompt: z.string().optional().describe('Words that are likely to be said.'),
  temperature: z.number().min(0).optional(),
  providerOptions,
}

export const transcriptionResult = z.looseObject({
  text: z.string(),
  confidence: z.number().optional().describe('From 0 to 1.'),
  language: z.string().optional().describe('BCP 47 tag, such as en-US.'),
  words: z.array(wordTiming).optional(),
  segments: z
    .array(
      z.looseObject({
        text: z.string(),
        startMs: z.number().describe('In ms.'),
        endMs: z.number().describe('In ms.'),
        speaker: z.string().optional(),
      }),
    )
    .optional(),
  ...resultExtras,
})

export const transcriptUpdate = z.looseObject({
  partial: z.string().nullable().describe('What is heard beyond `final`; may still change. null: no news.'),
  final: z.string().nullable().describe('All text so far that will not change any more. null: no news.'),
  words: z.array(wordTiming).optional(),
})

const language = z.string().optional().describe('BCP 47 tag, such as en-US.')

export const sttDefinition = {
  name: 'stt',
  version: '1.0.0',
  description: 'Speech to text',
  methods: {
    transcribe: {
      description: 'Converts audio to text.',
      parameters: ['audio', 'language'],
      args: z.strictObject({ audio: bytes, language, ...options }),
      result: transcriptionResult,
      bare: 'text',
      idempotent: true,
    },
    getLanguages: {
      description: 'Lists the languages.',
      parameters: [],
      args: z.strictObject({}),
      result: z.array(
        z.looseObject({ code: z.string().describe('BCP 47 tag, such as en-US.'), name: z.string() }),
      ),
      idempotent: true,
    },
    startStream: {
      description: 'Begins a session that is fed piece by piece.',
      required: false,
      parameters: [],
      args: z.strictObject({ language, ...options }),
      result: z.looseObject({ sessionId: z.string() }),
      bare: 'sessionId',
      unwrap: 'sessionId',
      session: 'open',
    },
    feedAudio: {
      description: 'Feeds a session.',
      required: false,
      parameters: ['sessionId', 'audio'],
      args: z.strictObject({ sessionId: z.string(), audio: bytes }),
      result: transcriptUpdate,
      session: 'use',
    },
    endStream: {
      description: 'Ends a session and returns the whole text.',
      required: false,
      parameters: ['sessionId'],
      args: z.strictObject({ sessionId: z.string() }),
      result: transcriptionResult,
      bare: 'text',
      session: 'close',
    },
    transcribeStream: {
      description: 'Converts audio to text while it arrives.',
      kind: 'stream',
      required: false,
      parameters: ['audio'],
      input: 'audio',
      args: z.strictObject({ audio: bytes, language, ...options }),
      piece: transcriptUpdate,
      result: transcriptionResult,
    },
  },
} as const satisfies ContractDefinition
