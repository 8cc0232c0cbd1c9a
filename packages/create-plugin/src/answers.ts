import { configOption } from './config-options.js'
import { factsOf } from './contracts.js'
import { exampleNames, jsonOfExample } from './examples.js'
import { nameProblem, titleOf } from './names.js'
import { textProblem } from './text.js'

export const contracts = ['tts', 'stt', 'llm', 'embedding', 'custom'] as const
export const engines = ['sample', 'http', 'command'] as const
export const languages = ['typescript', 'javascript', 'python'] as const
export const packageManagers = ['npm', 'pnpm', 'yarn', 'bun'] as const

export type Contract = (typeof contracts)[number]
export type Engine = (typeof engines)[number]
export type Language = (typeof languages)[number]
export type PackageManager = (typeof packageManagers)[number]

/** All answers, complete. */
export interface Answers {
  name: string
  /** The example that is copied; empty for none. */
  from: string
  contract: Contract
  engine: Engine
  language: Language
  displayName: string
  description: string
  author: string
  /** Each as `name:type=default`; see config-options.ts. */
  config: string[]
  packageManager: PackageManager
  git: boolean
  install: boolean
}

export type AnswerKey = keyof Answers
export type Answer = Answers[AnswerKey]

/** Context that defaults may depend on, besides earlier answers. */
export interface Surroundings {
  packageManager: PackageManager
}

/** One row of the table: flag, prompt, help and check are made from it. */
export interface Question {
  key: AnswerKey
  kind: 'text' | 'choice' | 'list' | 'yes-no'
  /** Text for `--help`. */
  describe: string
  /** Question at the terminal. Without it, the default is used. */
  prompt?: string
  choices?: readonly { value: string; label: string; alias?: string }[]
  /** Without a default, the answer is required. */
  default?: (known: Partial<Answers>, surroundings: Surroundings) => Answer
  /** The problem with a text, or with one of a list, if any. */
  problem?: (value: string) => string | undefined
}

export const questions: readonly Question[] = [
  {
    key: 'name',
    kind: 'text',
    describe: 'Name of the plugin and of its new folder: my_tts_plugin; or . for the current folder',
    prompt: 'What is the plugin called?',
    problem: nameProblem,
  },
  {
    key: 'from',
    kind: 'choice',
    describe: 'Example to copy under that name, with its contract, code and options. Default: none',
    choices: exampleNames.map((value) => ({ value, label: value })),
    default: () => '',
  },
  {
    key: 'contract',
    kind: 'choice',
    describe: 'What the plugin does. Required',
    prompt: 'What does it do?',
    choices: [
      { value: 'tts', label: 'Text to speech' },
      { value: 'stt', label: 'Speech to text' },
      { value: 'llm', label: 'Language model' },
      { value: 'embedding', label: 'Text to vectors, for search' },
      { value: 'custom', label: 'Something else: a contract of its own' },
    ],
  },
  {
    key: 'engine',
    kind: 'choice',
    describe:
      'What it is over: a small sample to replace (Morse code and the like), an API or a program. Default: sample',
    prompt: 'Over which engine?',
    choices: [
      { value: 'sample', label: 'A small sample that works at once, to replace' },
      { value: 'http', label: 'An HTTP API, such as OpenAI\u2019s or that of a server of your own' },
      { value: 'command', label: 'A program of the command line' },
    ],
    default: () => 'sample',
  },
  {
    key: 'language',
    kind: 'choice',
    describe: 'Language of the code. Default: typescript',
    prompt: 'Which language?',
    choices: [
      { value: 'typescript', label: 'TypeScript', alias: 'ts' },
      { value: 'javascript', label: 'JavaScript, with types in comments and no build', alias: 'js' },
      { value: 'python', label: 'Python 3.9 or newer, with pytest', alias: 'py' },
    ],
    default: () => 'typescript',
  },
  {
    key: 'displayName',
    kind: 'text',
    describe: 'Display name. Default: derived from the name',
    prompt: 'Which display name?',
    default: ({ name = '' }) => titleOf(name),
    problem: (value) =>
      value === '' ? 'it is empty; leave it out to derive it from the name' : textProblem(value, 100),
  },
  {
    key: 'description',
    kind: 'text',
    describe: 'Description in one line. Default: that of the generated plugin',
    prompt: 'Describe it in one line',
    default: ({ from = '', contract = 'custom', engine = 'sample' }) =>
      jsonOfExample(from, 'manifest.json').description ?? factsOf(contract, engine).description,
    problem: (value) => textProblem(value, 500),
  },
  {
    key: 'author',
    kind: 'text',
    describe: 'Author. Default: none',
    prompt: 'Who is the author? (optional)',
    default: () => '',
    problem: (value) => textProblem(value, 200),
  },
  {
    key: 'config',
    kind: 'list',
    describe: 'Additional config option, as name:type=default (repeatable): retries:integer=3',
    prompt: 'Which additional config options? (such as retries:integer=3 api_key:string; optional)',
    default: () => [],
    problem: (value) => configOption(value).problem,
  },
  {
    key: 'packageManager',
    kind: 'choice',
    describe: 'Package manager. Default: the one that runs this command',
    choices: packageManagers.map((value) => ({ value, label: value })),
    default: (_known, { packageManager }) => packageManager,
  },
  {
    key: 'git',
    kind: 'yes-no',
    describe: 'Create a git repository, unless it is inside one. Default: no',
    prompt: 'Create a git repository?',
    default: () => false,
  },
  {
    key: 'install',
    kind: 'yes-no',
    describe: 'Install its packages. Default: no',
    prompt: 'Install its packages now?',
    default: () => false,
  },
]

/** `displayName` is `--display-name`. */
export function flagOf(key: AnswerKey): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** What an example has already, so that nobody is asked for it. */
export const givenByExample: readonly AnswerKey[] = ['contract', 'engine', 'language', 'config']
