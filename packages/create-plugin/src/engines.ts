import type { Contract } from './answers.js'
import type { Json } from './json.js'
import { fitting } from './text.js'

/** What differs between plugins of a contract over several engines, as data. Their code is in templates/. */
export interface EngineFacts {
  /** Description of a plugin whose author gives none. */
  description: string
  capabilities: readonly string[]
  /** The template's own options: each as source for Zod, and as JSON Schema, as Zod would write it. */
  options: readonly Option[]
  /** A first call that works: the end of an `appfactory-host call` command. */
  call: string
  /** The file that it writes, which git ignores. */
  output?: string
  /** The effect of the call. */
  effect: string
  /** The file of the engine, without its extension. */
  file: string
  /** In Python, where that name is one of its standard library. Default: the same. */
  pythonFile?: string
  /** The purpose of that file. */
  fileDoes: string
  /** Other files: each without its extension, and its purpose. */
  otherFiles?: readonly { file: string; does: string }[]
}

interface Option {
  name: string
  source: string
  schema: { [key: string]: Json }
}

/** `steps` make the schema in Zod; they stand on one line if it is short enough. */
function option(name: string, steps: readonly string[], schema: Option['schema']): Option {
  const broken = steps.map((step) => `\n    .${step}`).join('')
  return { name, source: fitting(2, `${name}: z.${steps.join('.')},`, `${name}: z${broken},`), schema }
}

function integer(name: string, min: number, max: number, fallback: number, description: string): Option {
  const steps = ['int()', `min(${min})`, `max(${max})`, `default(${fallback})`, `describe('${description}')`]
  return option(name, steps, { default: fallback, description, type: 'integer', minimum: min, maximum: max })
}

function choice(name: string, values: readonly string[], fallback: string, description: string): Option {
  const steps = [`enum([${quoted(values)}])`, `default('${fallback}')`, `describe('${description}')`]
  return option(name, steps, { default: fallback, description, type: 'string', enum: values })
}

function text(name: string, fallback: string, description: string): Option {
  const steps = ['string()', `default('${fallback}')`, `describe('${description}')`]
  return option(name, steps, { default: fallback, description, type: 'string' })
}

function optionalText(name: string, description: string): Option {
  return option(name, ['string()', 'optional()', `describe('${description}')`], {
    description,
    type: 'string',
  })
}

function texts(name: string, fallback: readonly string[], description: string): Option {
  const steps = [
    'array(z.string())',
    'min(1)',
    `default([${quoted(fallback)}])`,
    `describe('${description}')`,
  ]
  const items = { type: 'string' }
  return option(name, steps, { default: fallback, description, minItems: 1, type: 'array', items })
}

function quoted(values: readonly string[]): string {
  return values.map((value) => `'${value}'`).join(', ')
}

const hello = {
  tts: `synthesize --args '{"text":"Hello"}' --out hello.wav`,
  stt: 'transcribe --file audio=samples/sos.wav',
  llm: `chat --args '{"messages":[{"role":"user","content":"What is a plugin?"}]}'`,
  vectors: `embed --args '{"texts":["Hello"]}'`,
}

const vectors = 'Turns texts into vectors'

const sampleVectors = {
  description: `${vectors} that are close to each other if the texts are similar`,
  options: [integer('dimensions', 8, 1024, 64, 'Numbers in a vector.')],
  call: hello.vectors,
  effect: 'prints a vector',
  file: 'vectors',
  fileDoes: 'turns a text into a vector',
}

/** Small engines that work without anything else. */
export const sampleEngines: Record<Contract, EngineFacts> = {
  tts: {
    description: 'Speaks text as Morse code',
    capabilities: ['streaming', 'speed', 'volume', 'sample_rate', 'hot_swap_state'],
    options: [
      choice('voice', ['low', 'high'], 'low', 'Default voice.'),
      integer('words_per_minute', 5, 60, 20, 'Normal speed.'),
    ],
    call: hello.tts,
    output: 'hello.wav',
    effect: 'speaks into hello.wav',
    file: 'morse',
    fileDoes: 'turns a word into Morse code, and the code into sound',
  },
  stt: {
    description: 'Reads Morse code from audio',
    capabilities: ['streaming', 'sessions'],
    options: [integer('words_per_minute', 5, 60, 20, 'Speed of the Morse code.')],
    call: hello.stt,
    effect: 'reads the sample',
    file: 'morse',
    fileDoes: 'finds tones and pauses in sound and reads them as Morse code',
  },
  llm: {
    description: 'Writes sentences with a Markov chain',
    capabilities: ['streaming', 'seed', 'stop_sequences', 'temperature'],
    options: [integer('max_words', 1, 1000, 60, 'Longest answer, whatever a call allows.')],
    call: hello.llm,
    effect: 'answers',
    file: 'markov',
    fileDoes: 'learns which words follow each other, and writes sentences from them',
  },
  embedding: { ...sampleVectors, capabilities: ['dimensions', 'hot_swap_state'] },
  custom: { ...sampleVectors, capabilities: ['streaming'] },
}

/** The default is where servers on one's own machine listen: no text of a user goes anywhere unasked. */
const baseUrl = 'http://127.0.0.1:8080/v1'

const http = {
  file: 'http',
  pythonFile: 'api',
  fileDoes: 'sends requests: with a deadline, cancelled with their call, repeated only where that is safe',
}

function httpOptions(model: string): Option[] {
  return [
    text('base_url', baseUrl, 'Where the paths of the API begin.'),
    optionalText('api_key', 'Key of the API. It stays out of files as a variable, see README.md.'),
    text('api_key_variable', 'OPENAI_API_KEY', 'Environment variable with the key.'),
    integer('timeout_ms', 1, 3_600_000, 60_000, 'Longest silence of the API, in ms.'),
    integer('retries', 0, 10, 2, 'How often a request is repeated where that is safe.'),
    text('model', model, 'Model that answers.'),
  ]
}

const httpVectors = {
  ...http,
  description: `${vectors} with an HTTP API`,
  options: [
    ...httpOptions('text-embedding-3-small'),
    integer('batch_size', 1, 2048, 64, 'Texts in a request.'),
  ],
  call: hello.vectors,
  effect: 'asks the API for a vector',
}

/** Plugins over an HTTP API: that of OpenAI, which many servers speak. */
export const httpEngines: Record<Contract, EngineFacts> = {
  tts: {
    ...http,
    description: 'Speaks text with an HTTP API',
    capabilities: ['streaming', 'speed'],
    options: [
      ...httpOptions('tts-1'),
      texts('voices', ['alloy', 'echo', 'fable', 'nova'], 'Voices of the API, the default one first.'),
      text('language', 'en', 'Language of the voices, such as en-US.'),
      integer('sample_rate', 8000, 48_000, 24_000, 'Sample rate of streams, in Hz.'),
    ],
    call: hello.tts,
    output: 'hello.wav',
    effect: 'has the API speak into hello.wav',
  },
  stt: {
    ...http,
    description: 'Transcribes audio with an HTTP API',
    capabilities: ['word_timestamps', 'diarization'],
    options: [
      ...httpOptions('whisper-1'),
      texts('languages', ['en', 'de', 'es', 'fr', 'ja', 'zh'], 'Languages of the model.'),
    ],
    call: hello.stt,
    effect: 'has the API transcribe the sample',
  },
  llm: {
    ...http,
    description: 'Answers with a language model behind an HTTP API',
    capabilities: [
      ...['streaming', 'seed', 'stop_sequences', 'temperature'],
      ...['tools', 'response_format', 'image_input'],
    ],
    options: httpOptions('gpt-4o-mini'),
    call: hello.llm,
    effect: 'asks the API',
    otherFiles: [
      { file: 'chat', does: 'says messages, tools and pieces of answers in the API’s words' },
      { file: 'events', does: 'reads server-sent events, by which the API streams' },
    ],
  },
  embedding: { ...httpVectors, capabilities: ['dimensions'] },
  custom: { ...httpVectors, capabilities: ['streaming'] },
}

const command = {
  file: 'command',
  pythonFile: 'program',
  fileDoes: 'runs the program: with a deadline, killed with its call and with all that it started',
}

function commandOptions(program: readonly string[]): Option[] {
  return [
    texts('command', program, 'Program and its first arguments.'),
    integer('timeout_ms', 1, 3_600_000, 60_000, 'Longest silence of the program, in ms.'),
    integer('max_programs', 1, 1000, 4, 'Programs that run at the same time. Other calls wait.'),
  ]
}

const commandVectors = {
  ...command,
  description: `${vectors} with a program of the command line`,
  call: hello.vectors,
  effect: 'has the program embed, which you write, print a vector',
  otherFiles: [{ file: 'lines', does: 'cuts into lines what the program writes' }],
}

/** Plugins over a program of the command line, which is run for each call. */
export const commandEngines: Record<Contract, EngineFacts> = {
  tts: {
    ...command,
    description: 'Speaks text with a program of the command line',
    capabilities: ['streaming', 'speed'],
    options: [
      ...commandOptions(['espeak-ng', '--stdin', '--stdout']),
      texts('voices', ['en-us', 'en-gb'], 'Voices of the program, the default one first.'),
      text('language', 'en', 'Language of the voices, such as en-US.'),
      integer('words_per_minute', 20, 500, 175, 'Normal speed.'),
    ],
    call: hello.tts,
    output: 'hello.wav',
    effect: 'has espeak-ng speak into hello.wav',
  },
  stt: {
    ...command,
    description: 'Transcribes audio with a program of the command line',
    capabilities: [],
    options: [
      ...commandOptions(['whisper-cli', '--no-prints', '--no-timestamps', '--file', '-']),
      texts(
        'languages',
        ['en', 'de', 'es', 'fr', 'ja', 'zh'],
        'Languages of the model, the default one first.',
      ),
    ],
    call: hello.stt,
    effect: 'has whisper-cli transcribe the sample',
  },
  llm: {
    ...command,
    description: 'Answers with a program of the command line',
    capabilities: ['streaming'],
    options: [
      ...commandOptions(['ollama', 'run']),
      texts('models', ['llama3.2'], 'Models of the program, the default one first.'),
    ],
    call: hello.llm,
    effect: 'asks ollama',
  },
  embedding: {
    ...commandVectors,
    capabilities: [],
    options: [
      ...commandOptions(['embed']),
      texts('models', ['small'], 'Models of the program, the default one first.'),
    ],
  },
  custom: { ...commandVectors, capabilities: ['streaming'], options: commandOptions(['embed']) },
}
