import { configOption } from './config-options.js'
import { nameProblem, titleOf } from './names.js'
import { textProblem } from './text.js'

export const contracts = ['tts', 'stt', 'llm', 'custom'] as const
export const languages = ['typescript', 'javascript'] as const
export const packageManagers = ['npm', 'pnpm', 'yarn', 'bun'] as const

export type Contract = (typeof contracts)[number]
export type Language = (typeof languages)[number]
export type PackageManager = (typeof packageManagers)[number]

/** All that is known before files are made. */
export interface Answers {
  name: string
  contract: Contract
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

/** What defaults may depend on, besides the answers before them. */
export interface Surroundings {
  packageManager: PackageManager
}

/** One row of the table. Flag, prompt, help and check are all made from it. */
export interface Question {
  key: AnswerKey
  kind: 'text' | 'choice' | 'list' | 'yes-no'
  /** As `--help` says it. */
  describe: string
  /** As a person at a terminal is asked. Without it nobody is: the default is taken. */
  prompt?: string
  choices?: readonly { value: string; label: string; alias?: string }[]
  /** Without it the answer must be given. */
  default?: (known: Partial<Answers>, surroundings: Surroundings) => Answer
  /** What is wrong with a text, or with one of a list. */
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
    key: 'contract',
    kind: 'choice',
    describe: 'What the plugin does. Required',
    prompt: 'What does it do?',
    choices: [
      { value: 'tts', label: 'Text to speech' },
      { value: 'stt', label: 'Speech to text' },
      { value: 'llm', label: 'Language model' },
      { value: 'custom', label: 'Something else: a contract of its own' },
    ],
  },
  {
    key: 'language',
    kind: 'choice',
    describe: 'What it is written in. Default: typescript',
    prompt: 'What is it written in?',
    choices: [
      { value: 'typescript', label: 'TypeScript', alias: 'ts' },
      { value: 'javascript', label: 'JavaScript, with types in comments and no build', alias: 'js' },
    ],
    default: () => 'typescript',
  },
  {
    key: 'displayName',
    kind: 'text',
    describe: 'Name for people. Default: made from the name',
    prompt: 'Which name do people see?',
    default: ({ name = '' }) => titleOf(name),
    problem: (value) =>
      value === '' ? 'it is empty; leave it out for one made from the name' : textProblem(value, 100),
  },
  {
    key: 'description',
    kind: 'text',
    describe: 'What it does, in one line. Default: what the new plugin does',
    prompt: 'What does it do, in one line?',
    default: ({ contract = 'custom' }) => descriptions[contract],
    problem: (value) => textProblem(value, 500),
  },
  {
    key: 'author',
    kind: 'text',
    describe: 'Who writes it. Default: left out',
    prompt: 'Who writes it? (may stay empty)',
    default: () => '',
    problem: (value) => textProblem(value, 200),
  },
  {
    key: 'config',
    kind: 'list',
    describe: 'A config option of its own, as name:type=default (repeatable): retries:integer=3',
    prompt: 'Which config options of its own? (such as retries:integer=3 api_key:string; may stay empty)',
    default: () => [],
    problem: (value) => configOption(value).problem,
  },
  {
    key: 'packageManager',
    kind: 'choice',
    describe: 'What installs its packages. Default: what runs this command',
    choices: packageManagers.map((value) => ({ value, label: value })),
    default: (_known, { packageManager }) => packageManager,
  },
  {
    key: 'git',
    kind: 'yes-no',
    describe: 'Make it a git repository, unless it is in one. Default: no',
    prompt: 'Make it a git repository?',
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

const descriptions: Record<Contract, string> = {
  tts: 'Speaks text as Morse code',
  stt: 'Reads Morse code from audio',
  llm: 'Writes sentences with a Markov chain',
  custom: 'Turns texts to vectors that are near each other where the texts are alike',
}

/** `displayName` is `--display-name`. */
export function flagOf(key: AnswerKey): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
