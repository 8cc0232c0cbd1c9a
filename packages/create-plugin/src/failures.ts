import { describeThrown } from '@appfactory/sdk/internal'

/** Exit codes of the command, as documented. */
export const exitCodes = { done: 0, failure: 1, usage: 2, cancelled: 130 } as const

/** A problem with one answer. */
export interface Problem {
  /** The flag, as in `--display-name`, or `name`. */
  answer: string
  message: string
}

/** Invalid usage of the command line: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly problems: readonly Problem[]
  /** Whether the message is complete, so that a hint at the help adds nothing. */
  readonly complete: boolean

  constructor(message: string, problems: readonly Problem[] = [], { complete = false } = {}) {
    super(message)
    this.problems = problems
    this.complete = complete
  }
}

/** Cancelled by the user or a signal: exit code 130. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled'
}

/** Existing files are in the way: exit code 1. */
export class TargetBusy extends Error {
  override readonly name = 'TargetBusy'
  /** Paths in the plugin's folder; `.` is the folder itself. */
  readonly conflicts: readonly string[]

  constructor(message: string, conflicts: readonly string[]) {
    super(message)
    this.conflicts = conflicts
  }
}

/** Not all overwritten files could be restored: exit code 1. */
export class UndoFailed extends AggregateError {
  override readonly name = 'UndoFailed'
  /** The folder with the files that could not be restored, each with `.old` after its name. */
  readonly kept: string

  constructor(kept: string, errors: readonly unknown[]) {
    const [cause, ...failed] = errors.map((error) => describeThrown(error).message)
    super(
      errors,
      `${cause}\nNot everything could be restored:\n${failed.map((line) => `  ${line}`).join('\n')}\nThe overwritten files are kept in ${kept}, each with .old after its name`,
    )
    this.kept = kept
  }
}

/** The files are written, but a later step failed: exit code 1, or 130 if it was cancelled. */
export class StepFailed extends Error {
  override readonly name = 'StepFailed'
  /** The remaining commands, to run in the new folder. */
  readonly undone: readonly string[]
  readonly cancelled: boolean

  constructor(message: string, { undone, cancelled }: { undone: readonly string[]; cancelled: boolean }) {
    super(message)
    this.undone = undone
    this.cancelled = cancelled
  }
}
