import { closest } from '@appfactory/sdk/wire'
import {
  type Answer,
  type AnswerKey,
  type Answers,
  contracts,
  flagOf,
  languages,
  packageManagers,
  type Question,
  questions,
  type Surroundings,
} from './answers.js'
import { type Problem, UsageError } from './failures.js'
import { shown } from './names.js'

export type Given = Partial<Record<AnswerKey, Answer>>

/** `--contract`; the name has no flag. */
export function labelOf(key: AnswerKey): string {
  return key === 'name' ? 'name' : `--${flagOf(key)}`
}

/**
 * Checks what was given, all of it.
 *
 * @throws UsageError that names every problem.
 */
export function checkGiven(given: Given): Given {
  const checked: Given = {}
  const problems: Problem[] = []
  for (const question of questions) {
    const answer = given[question.key]
    if (answer === undefined) continue
    const value = withoutAlias(question, answer)
    const message = problemOf(question, value)
    if (message === undefined) checked[question.key] = value
    else problems.push({ answer: labelOf(question.key), message })
  }
  if (problems.length === 0) return checked
  const lines = problems.map(({ answer, message }) => `${answer}: ${message}`)
  throw new UsageError(lines.join('\n'), problems)
}

/** What is wrong with an answer. */
export function problemOf(question: Question, answer: Answer): string | undefined {
  if (question.kind === 'choice') return choiceProblem(question, String(answer))
  const texts = typeof answer === 'boolean' ? [] : [answer].flat()
  const problem = texts.map((text) => question.problem?.(text)).find((found) => found !== undefined)
  return problem ?? (question.key === 'config' ? repeatedName(texts) : undefined)
}

function choiceProblem({ choices = [] }: Question, given: string): string | undefined {
  const values = choices.map(({ value }) => value)
  if (values.includes(given)) return undefined
  const meant = closest(given, values)
  return `there is no ${shown(given)}; there is ${values.join(', ')}${meant === undefined ? '' : `. Did you mean ${meant}?`}`
}

function repeatedName(options: readonly string[]): string | undefined {
  const names = options.map((option) => option.split(':')[0])
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  return twice === undefined ? undefined : `${twice} is there twice`
}

function withoutAlias({ choices = [] }: Question, answer: Answer): Answer {
  return choices.find(({ alias }) => alias === answer)?.value ?? answer
}

/** The questions that are still open. With `takeDefaults`, those that have no default. */
export function openQuestions(given: Given, takeDefaults: boolean): Question[] {
  return questions.filter(
    (question) =>
      given[question.key] === undefined && !(question.default && (takeDefaults || !question.prompt)),
  )
}

/** Says what is missing, all at once, and how it can be given. */
export function missing(open: readonly Question[]): UsageError {
  const problems = open.map((question) => ({ answer: labelOf(question.key), message: howToGive(question) }))
  const lines = problems.map(({ answer, message }) => `  ${answer}: ${message}`)
  const rest = open.some((question) => question.default)
    ? '\nWith --yes, all that have a default take it.'
    : ''
  return new UsageError(
    `There is no terminal to ask at, and these are missing:\n${lines.join('\n')}${rest}`,
    problems,
  )
}

function howToGive({ describe, choices, default: fallback }: Question): string {
  const values = choices ? ` (${choices.map(({ value }) => value).join(', ')})` : ''
  return `${describe}${values}${fallback ? '' : '; has no default'}`
}

/** Fills in the defaults. Everything that has none must be there. */
export function withDefaults(given: Given, surroundings: Surroundings): Answers {
  const known: Given = { ...given }
  for (const { key, default: fallback } of questions) {
    if (fallback && known[key] === undefined) known[key] = fallback(knownAnswers(known), surroundings)
  }
  return { ...emptyAnswers, ...knownAnswers(known) }
}

const emptyAnswers: Answers = {
  name: '',
  contract: 'custom',
  language: 'typescript',
  displayName: '',
  description: '',
  author: '',
  config: [],
  packageManager: 'npm',
  git: false,
  install: false,
}

/** With the types that they were checked to have. */
function knownAnswers(given: Given): Partial<Answers> {
  const text = (key: AnswerKey) => (typeof given[key] === 'string' ? given[key] : undefined)
  const one = <Value extends string>(key: AnswerKey, values: readonly Value[]) =>
    values.find((value) => value === given[key])
  const all = {
    name: text('name'),
    contract: one('contract', contracts),
    language: one('language', languages),
    displayName: text('displayName'),
    description: text('description'),
    author: text('author'),
    config: Array.isArray(given.config) ? given.config : undefined,
    packageManager: one('packageManager', packageManagers),
    git: given.git === undefined ? undefined : given.git === true,
    install: given.install === undefined ? undefined : given.install === true,
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}
