/** Exit status of the command, as documented. */
export const exitCodes = { done: 0, failure: 1, usage: 2, cancelled: 130 } as const

/** What is wrong with one answer. */
export interface Problem {
  /** The flag, as in `--display-name`, or `name`. */
  answer: string
  message: string
}

/** A command line that can't be carried out: exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly problems: readonly Problem[]

  constructor(message: string, problems: readonly Problem[] = []) {
    super(message)
    this.problems = problems
  }
}

/** The person at the terminal, or a signal, stopped it: exit status 130. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled'
}
