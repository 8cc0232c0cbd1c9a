import { closest } from '@appfactory/sdk/internal'
import {
  type Answer,
  type AnswerKey,
  type Answers,
  contracts,
  engines,
  flagOf,
  givenByExample,
  languages,
  packageManagers,
  type Question,
  questions,
  type Surroundings,
} from './answers.js'
import { factsOf } from './contracts.js'
import { exampleNames, jsonOfExample } from './examples.js'
import { type Problem, UsageError } from './failures.js'
import { shown } from './names.js'

export type Given = Partial<Record<AnswerKey, Answer>>

/** `--contract`; the name has no flag. */
export function labelOf(key: AnswerKey): string {
  return key === 'name' ? 'name' : `--${flagOf(key)}`
}

/**
 * Checks all given answers.
 *
 * @throws UsageError that names every problem.
 */
export function checkGiven(given: Given): Given {
  const checked: Given = {}
  const problems: Problem[] = []
  for (const question of questions) {
    const answer = given[question.key]
    if (answer === undefined) continue
    const value = asMeant(question, answer)
    const message = problemOf(question, value, checked)
    if (message === undefined) checked[question.key] = value
    else problems.push({ answer: labelOf(question.key), message })
  }
  if (problems.length === 0) return checked
  const lines = problems.map(({ answer, message }) => `${answer}: ${message}`)
  throw new UsageError(lines.join('\n'), problems)
}

/** The problem with an answer, checked against the answers before it. */
export function problemOf(question: Question, answer: Answer, known: Given): string | undefined {
  if (known.from !== undefined && givenByExample.includes(question.key))
    return `${known.from} has one already; leave it out, or leave out --from`
  if (question.kind === 'choice') return choiceProblem(question, String(answer))
  const texts = typeof answer === 'boolean' ? [] : [answer].flat()
  const problem = texts.map((text) => question.problem?.(text)).find((found) => found !== undefined)
  return problem ?? (question.key === 'config' ? takenName(texts, knownAnswers(known)) : undefined)
}

function choiceProblem({ choices = [] }: Question, given: string): string | undefined {
  const values = choices.map(({ value }) => value)
  if (values.includes(given)) return undefined
  const meant = closest(given, values)
  return `unknown value ${shown(given)}. Available: ${values.join(', ')}${meant === undefined ? '' : `. Did you mean ${meant}?`}`
}

/** Option names must differ from each other and from the options of the template. */
function takenName(
  options: readonly string[],
  { contract, engine = 'sample' }: Partial<Answers>,
): string | undefined {
  const names = options.map((option) => option.split(':')[0])
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) return `${twice} is given twice`
  const theirs = contract ? factsOf(contract, engine).options.map(({ name }) => name) : []
  const taken = names.find((name) => theirs.some((each) => each === name))
  return taken === undefined
    ? undefined
    : `${taken} is already an option of a new ${contract} plugin; choose another name`
}

/** Whether to create the plugin in the current folder, under the folder's name. */
export function isCurrentFolder(name: Answer | undefined): boolean {
  return typeof name === 'string' && /^\.[\\/]*$/.test(name)
}

/** Resolves aliases, trims text, and removes the slash that a shell adds to the name of a folder. */
export function asMeant({ kind, key, choices = [] }: Question, answer: Answer): Answer {
  if (key === 'name' && typeof answer === 'string')
    return answer.replace(/^\.[\\/](?=\w)/, '').replace(/(?<=\w)[\\/]+$/, '')
  if (kind === 'text' && typeof answer === 'string') return answer.trim()
  return choices.find(({ alias }) => alias === answer)?.value ?? answer
}

/** The open questions; with `takeDefaults`, only those without a default. */
export function openQuestions(given: Given, takeDefaults: boolean): Question[] {
  return questions.filter(
    (question) =>
      given[question.key] === undefined &&
      !(given.from !== undefined && givenByExample.includes(question.key)) &&
      !(question.default && (takeDefaults || !question.prompt)),
  )
}

/** Lists all missing answers and their flags. @param reason Why no questions are asked. */
export function missing(open: readonly Question[], reason: string): UsageError {
  const problems = open.map((question) => ({ answer: labelOf(question.key), message: howToGive(question) }))
  const lines = (needed: boolean): string[] =>
    problems.flatMap(({ answer, message }, index) =>
      (open[index]?.default === undefined) === needed ? [`  ${answer}: ${message}`] : [],
    )
  const [required, optional] = [lines(true), lines(false)]
  return new UsageError(
    [
      ...(required.length > 0 ? [`${reason}, and these are required:`, ...required] : [`${reason}.`]),
      ...(optional.length > 0 ? ['With --yes, these use their defaults:', ...optional] : []),
    ].join('\n'),
    problems,
  )
}

function howToGive({ describe, choices, default: fallback }: Question): string {
  const values = choices ? ` (${choices.map(({ value }) => value).join(', ')})` : ''
  return `${describe}${values}${fallback ? '' : '; has no default'}`
}

/** Fills in the defaults. Answers without a default must be given. */
export function withDefaults(given: Given, surroundings: Surroundings): Answers {
  const known: Given = { ...given }
  if (given.from !== undefined)
    known.contract = jsonOfExample(String(given.from), 'manifest.json').contract ?? 'custom'
  for (const { key, default: fallback } of questions) {
    if (fallback && known[key] === undefined) known[key] = fallback(knownAnswers(known), surroundings)
  }
  return { ...emptyAnswers, ...knownAnswers(known) }
}

const emptyAnswers: Answers = {
  name: '',
  from: '',
  contract: 'custom',
  engine: 'sample',
  language: 'typescript',
  displayName: '',
  description: '',
  author: '',
  config: [],
  packageManager: 'npm',
  git: false,
  install: false,
}

/** With their checked types. */
function knownAnswers(given: Given): Partial<Answers> {
  const text = (key: AnswerKey) => (typeof given[key] === 'string' ? given[key] : undefined)
  const one = <Value extends string>(key: AnswerKey, values: readonly Value[]) =>
    values.find((value) => value === given[key])
  const all = {
    name: text('name'),
    from: one('from', exampleNames),
    contract: one('contract', contracts),
    engine: one('engine', engines),
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
