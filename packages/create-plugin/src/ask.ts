import { resolve } from 'node:path'
import { describeThrown } from '@appfactory/sdk/internal'
import type { Answer, Question, Surroundings } from './answers.js'
import { Cancelled } from './failures.js'
import { asMeant, checkGiven, type Given, openQuestions, problemOf, withDefaults } from './read-answers.js'
import { checkFolder } from './target.js'

export interface AskOptions {
  /** Ask only questions without a default. */
  takeDefaults: boolean
  /** Accept a folder with files. */
  force: boolean
  /** The plugin is made in the current folder. */
  isHere: boolean
}

/** Asks the open questions at the terminal. Loaded on demand. */
export async function ask(
  given: Given,
  { takeDefaults, force, isHere }: AskOptions,
  surroundings: Surroundings,
): Promise<Given> {
  // Before any question, so that none is asked in vain.
  if (typeof given.name === 'string' && !force) checkFolder(resolve(isHere ? '.' : given.name))
  const prompts = await import('@clack/prompts')
  prompts.intro('A new App Factory plugin')
  const answers: Given = { ...given }
  const wrong = (question: Question, answer: Answer): string | undefined =>
    problemOf(question, answer, answers) ??
    (question.key === 'name' && !force ? busyFolder(String(answer)) : undefined)
  for (const question of openQuestions(given, takeDefaults)) {
    const known = withDefaults(answers, surroundings)
    const answer = await askOne(prompts, question, question.default?.(known, surroundings), wrong)
    if (answer === undefined) throw new Cancelled('Nothing was written.')
    answers[question.key] = answer
    // The answer may conflict with an earlier one.
    checkGiven(answers)
  }
  prompts.outro('Thank you.')
  return answers
}

/** The obstacle for a plugin of that name, if any. */
function busyFolder(name: string): string | undefined {
  try {
    checkFolder(resolve(name))
    return undefined
  } catch (error) {
    return describeThrown(error).message
  }
}

type Prompts = typeof import('@clack/prompts')

async function askOne(
  prompts: Prompts,
  question: Question,
  fallback: Answer | undefined,
  wrong: (question: Question, answer: Answer) => string | undefined,
): Promise<Answer | undefined> {
  const { kind, prompt = question.describe, choices = [] } = question
  const answer = await (() => {
    switch (kind) {
      case 'yes-no':
        return prompts.confirm({ message: prompt, initialValue: fallback === true })
      case 'choice':
        return prompts.select({
          message: prompt,
          options: choices.map(({ value, label }) => ({ value, label })),
          ...(typeof fallback === 'string' ? { initialValue: fallback } : {}),
        })
      default:
        return prompts.text({
          message: prompt,
          ...(typeof fallback === 'string' && fallback !== ''
            ? { placeholder: fallback, defaultValue: fallback }
            : {}),
          validate: (text = '') =>
            text === '' && question.default ? undefined : wrong(question, toAnswer(question, text)),
        })
    }
  })()
  if (prompts.isCancel(answer)) return undefined
  return typeof answer === 'string' ? toAnswer(question, answer) : answer
}

/** A list is typed as words. */
function toAnswer(question: Question, text: string): Answer {
  return question.kind === 'list'
    ? text.split(/[\s,]+/).filter((word) => word !== '')
    : asMeant(question, text)
}
