import { parseArgs } from 'node:util'

/** What `npm start -- …` was told. */
export interface Arguments {
  /** The plugin that speaks. */
  voice: string
  /** The plugin that listens. */
  ears: string
  /** What to ask; empty for the built-in conversation. */
  question: string
}

/** @throws TypeError for an option that it does not know, or one without its value. */
export function readArguments(given: readonly string[]): Arguments {
  const { values, positionals } = parseArgs({
    args: [...given],
    allowPositionals: true,
    options: {
      voice: { type: 'string', default: 'tts_flite' },
      ears: { type: 'string', default: 'stt_pocketsphinx' },
    },
  })
  return { ...values, question: positionals.join(' ').trim() }
}
