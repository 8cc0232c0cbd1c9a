import { z } from 'zod'
import { bytes, providerOptions, resultExtras, wordTiming } from './common.table.js'
import type { ContractDefinition } from './contract.js'

const options = {
  format: z.string().optional().describe('Audio format to return: wav, mp3, pcm_s16le…'),
  sampleRate: z.int().min(1000).max(384_000).optional().describe('Sample rate to return, in Hz.'),
  speed: z.number().min(0.1).max(10).optional().describe('1 is normal; 2 is twice as fast.'),
  pitch: z.number().optional().describe('1 is normal.'),
  volume: z.number().min(0).optional().describe('1 is normal.'),
  language: z.string().optional().describe('BCP 47 tag, such as en-US.'),
  textType: z.enum(['text', 'ssml']).optional().describe('How to read the text. Default: text.'),
  instructions: z.string().optional().describe('How to speak, in words: cheerfully, in a whisper…'),
  wordTimestamps: z.boolean().optional().describe('Return the time of each word.'),
  providerOptions,
}

export const voice = z.looseObject({
  id: z.string(),
  name: z.string(),
  language: z.string().describe('BCP 47 tag, such as en-US.'),
  gender: z.string().optional(),
  description: z.string().optional(),
  sampleRate: z.number().optional().describe('In Hz.'),
})

export const audioChunk = z.looseObject({
  audio: bytes,
  format: z.string(),
  sampleRate: z.number().describe('In Hz.'),
  channels: z.number(),
  durationMs: z.number().optional().describe('In ms; absent where the format does not tell.'),
  voiceId: z.string().optional(),
  text: z.string().optional().describe('The part of the text that is spoken here.'),
  words: z.array(wordTiming).optional(),
  ...resultExtras,
})

export const synthesisResult = z.looseObject({
  audio: bytes,
  format: z.string().describe('wav, mp3, ogg, flac or pcm_s16le.'),
  sampleRate: z.number().describe('In Hz.'),
  channels: z.number(),
  durationMs: z.number().optional().describe('In ms; absent where the format does not tell.'),
  voiceId: z.string().optional(),
  words: z.array(wordTiming).optional(),
  ...resultExtras,
})

const speech = z.strictObject({
  text: z.string().describe('What to say.'),
  voiceId: z.string().optional(),
  ...options,
})

export const ttsDefinition = {
  name: 'tts',
  version: '1.0.0',
  description: 'Text to speech',
  methods: {
    synthesize: {
      description: 'Converts text to audio.',
      parameters: ['text', 'voiceId'],
      args: speech,
      result: synthesisResult,
      bare: 'audio',
      idempotent: true,
    },
    getVoices: {
      description: 'Lists the voices.',
      parameters: [],
      args: z.strictObject({}),
      result: z.array(voice),
      idempotent: true,
    },
    getVoiceInfo: {
      description: 'Describes one voice.',
      required: false,
      parameters: ['voiceId'],
      args: z.strictObject({ voiceId: z.string() }),
      result: voice,
      idempotent: true,
    },
    synthesizeStream: {
      description: 'Converts text to audio piece by piece; the text may arrive piece by piece too.',
      kind: 'stream',
      required: false,
      parameters: ['text', 'voiceId'],
      input: 'text',
      args: speech,
      piece: audioChunk,
      result: synthesisResult,
      bare: 'audio',
    },
  },
} as const satisfies ContractDefinition
