import type { Contract } from './answers.js'
import type { Json } from './json.js'

/** What differs between plugins of the contracts, as data. Their code is in templates/<contract>/. */
export interface ContractFacts {
  /** The manifest's `contract`. */
  contract: string
  /** Its name in the README, with its article. */
  kind: string
  capabilities: readonly string[]
  tags: readonly string[]
  /** The template's own options: each as source for Zod, and as JSON Schema, as Zod would write it. */
  options: readonly { name: string; source: string; schema: { [key: string]: Json } }[]
  /** A first call that works: the end of an `appfactory-host call` command. */
  call: string
  /** The file that it writes, which git ignores. */
  output?: string
  /** The effect of the call. */
  effect: string
  /** The file to replace, without its extension. */
  engine: string
  /** The purpose of that file. */
  engineDoes: string
  /** Whether it brings a contract of its own. */
  contractFile: boolean
}

const integer = (name: string, min: number, max: number, fallback: number, description: string) => ({
  name,
  source: `z.int().min(${min}).max(${max}).default(${fallback}).describe('${description}'),`,
  schema: { default: fallback, description, type: 'integer', minimum: min, maximum: max },
})

const choice = (name: string, values: readonly string[], fallback: string, description: string) => ({
  name,
  source: `z.enum([${values.map((value) => `'${value}'`).join(', ')}]).default('${fallback}').describe('${description}'),`,
  schema: { default: fallback, description, type: 'string', enum: values },
})

export const contractFacts: Record<Contract, ContractFacts> = {
  tts: {
    contract: 'tts',
    kind: 'A text-to-speech',
    capabilities: ['streaming', 'speed', 'volume', 'sample_rate', 'hot_swap_state'],
    tags: ['tts'],
    options: [
      choice('voice', ['low', 'high'], 'low', 'Default voice.'),
      integer('words_per_minute', 5, 60, 20, 'Normal speed.'),
    ],
    call: `synthesize --args '{"text":"Hello"}' --out hello.wav`,
    output: 'hello.wav',
    effect: 'speaks into hello.wav',
    engine: 'morse',
    engineDoes: 'turns a word into Morse code, and the code into sound',
    contractFile: false,
  },
  stt: {
    contract: 'stt',
    kind: 'A speech-to-text',
    capabilities: ['streaming', 'sessions'],
    tags: ['stt'],
    options: [integer('words_per_minute', 5, 60, 20, 'Speed of the Morse code.')],
    call: 'transcribe --file audio=samples/sos.wav',
    effect: 'reads the sample',
    engine: 'morse',
    engineDoes: 'finds tones and pauses in sound and reads them as Morse code',
    contractFile: false,
  },
  llm: {
    contract: 'llm',
    kind: 'A language model',
    capabilities: ['streaming', 'seed', 'stop_sequences', 'temperature'],
    tags: ['llm'],
    options: [integer('max_words', 1, 1000, 60, 'Longest answer, whatever a call allows.')],
    call: `chat --args '{"messages":[{"role":"user","content":"What is a plugin?"}]}'`,
    effect: 'answers',
    engine: 'markov',
    engineDoes: 'learns which words follow each other, and writes sentences from them',
    contractFile: false,
  },
  custom: {
    contract: 'embedding',
    kind: 'An embedding',
    capabilities: ['streaming'],
    tags: ['embedding', 'custom-contract'],
    options: [integer('dimensions', 8, 1024, 64, 'Numbers in a vector.')],
    call: `embed --args '{"texts":["Hello"]}'`,
    effect: 'prints a vector',
    engine: 'vectors',
    engineDoes: 'turns a text into a vector',
    contractFile: true,
  },
}
