import type { Answer, Question, Surroundings } from './answers.js'
import { Cancelled } from './failures.js'
import { type Given, openQuestions, problemOf, withDefaults } from './read-answers.js'

/** Asks at the terminal what is still open. Loaded only then. */
export async function ask(given: Given, takeDefaults: boolean, surroundings: Surroundings): Promise<Given> {
  const prompts = await import('@clack/prompts')
  prompts.intro('A new App Factory plugin')
  const answers: Given = { ...given }
  for (const question of openQuestions(given, takeDefaults)) {
    const known = withDefaults(answers, surroundings)
    const answer = await askOne(prompts, question, question.default?.(known, surroundings))
    if (answer === undefined) throw new Cancelled('Nothing was written.')
    answers[question.key] = answer
  }
  prompts.outro('Thank you.')
  return answers
}

type Prompts = typeof import('@clack/prompts')

async function askOne(
  prompts: Prompts,
  question: Question,
  fallback: Answer | undefined,
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
            text === '' && question.default ? undefined : problemOf(question, toAnswer(question, text)),
        })
    }
  })()
  if (prompts.isCancel(answer)) return undefined
  return typeof answer === 'string' ? toAnswer(question, answer) : answer
}

/** A list is typed as words. */
function toAnswer({ kind }: Question, text: string): Answer {
  return kind === 'list' ? text.split(/[\s,]+/).filter((word) => word !== '') : text
}
