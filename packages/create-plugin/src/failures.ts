import { describeThrown } from '@appfactory/sdk/wire'

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
  /** Whether the message says all, so that the help adds nothing. */
  readonly complete: boolean

  constructor(message: string, problems: readonly Problem[] = [], { complete = false } = {}) {
    super(message)
    this.problems = problems
    this.complete = complete
  }
}

/** The person at the terminal, or a signal, stopped it: exit status 130. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled'
}

/** What is there already would be in the way: exit status 1. */
export class TargetBusy extends Error {
  override readonly name = 'TargetBusy'
  /** Paths in the plugin's folder; `.` is the folder itself. */
  readonly conflicts: readonly string[]

  constructor(message: string, conflicts: readonly string[]) {
    super(message)
    this.conflicts = conflicts
  }
}

/** Not all that was overwritten could be put back: exit status 1. */
export class UndoFailed extends AggregateError {
  override readonly name = 'UndoFailed'
  /** The folder that holds what could not be put back, each file with `.old` behind its name. */
  readonly kept: string

  constructor(kept: string, errors: readonly unknown[]) {
    const [cause, ...failed] = errors.map((error) => describeThrown(error).message)
    super(
      errors,
      `${cause}\nNot everything could be put back as it was:\n${failed.map((line) => `  ${line}`).join('\n')}\nWhat was overwritten is kept in ${kept}, each file with .old behind its name`,
    )
    this.kept = kept
  }
}

/** The files are written, but not all that was asked for besides was done: exit status 1, or 130 if somebody stopped it. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed'
  /** The commands that are still to be run, in the new folder. */
  readonly undone: readonly string[]
  readonly cancelled: boolean

  constructor(message: string, { undone, cancelled }: { undone: readonly string[]; cancelled: boolean }) {
    super(message)
    this.undone = undone
    this.cancelled = cancelled
  }
}
