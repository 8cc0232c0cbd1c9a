import { basename, resolve } from 'node:path'
import { version } from 'virtual:versions'
import { describeThrown } from '@appfactory/sdk/internal'
import type { Answers, Surroundings } from './answers.js'
import { type Arguments, parseArguments } from './arguments.js'
import { repeatCommand } from './command-line.js'
import { Cancelled, exitCodes, StepFailed, TargetBusy, UndoFailed, UsageError } from './failures.js'
import { packageManagerOf } from './package-managers.js'
import { plan } from './plan.js'
import { checkGiven, isCurrentFolder, missing, openQuestions, withDefaults } from './read-answers.js'
import { type Outcome, report, reportJson } from './report.js'
import { onStopSignal } from './stop-signals.js'
import { refuseSwallowedFlags, tookYes } from './swallowed.js'
import { checkTarget, overwritten } from './target.js'
import { writeFiles } from './write.js'

/** Runs the command and sets the exit code of the process. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    refuseSwallowedFlags(argv, process.env, process.platform)
    const args = await parseArguments(argv)
    if (args) await create(args, !args.yes && tookYes(argv, process.env))
  } catch (error) {
    process.exitCode = fail(error, argv.includes('--json'))
  }
}

async function create(args: Arguments, yesTaken: boolean): Promise<void> {
  const { dryRun, json, force } = args
  const isHere = isCurrentFolder(args.given.name)
  const answers = await complete(args, isHere, yesTaken)
  const target = resolve(isHere ? '.' : answers.name)
  const files = plan(answers)
  checkTarget(target, files, force)
  const outcome: Outcome = {
    answers,
    target,
    isHere,
    dryRun,
    files,
    overwritten: overwritten(
      target,
      files.map(({ path }) => path),
    ),
    command: repeatCommand(answers, isHere, version, process.platform),
  }
  const failed = dryRun ? undefined : await carryOut(outcome, force)
  process.stdout.write(`${json ? reportJson(outcome, failed) : report(outcome, failed)}\n`)
  if (!failed) return
  if (!json) complain(failed.message)
  process.exitCode = failed.cancelled ? exitCodes.cancelled : exitCodes.failure
}

/** All answers: from the command line, from a person at a terminal, and from the defaults. */
async function complete(args: Arguments, isHere: boolean, yesTaken: boolean): Promise<Answers> {
  const { yes, json, force } = args
  const surroundings: Surroundings = {
    packageManager: packageManagerOf(process.env['npm_config_user_agent']),
  }
  const given = checkGiven(isHere ? { ...args.given, name: basename(resolve('.')) } : args.given)
  const open = openQuestions(given, yes)
  if (open.length === 0) return withDefaults(given, surroundings)
  const note = yesTaken ? `${yesNote}\n` : ''
  if (json) throw missing(open, `${note}With --json, no questions are asked`)
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw missing(open, `${note}There is no terminal to ask at`)
  process.stderr.write(note)
  const { ask } = await import('./ask.js')
  return withDefaults(await ask(given, { takeDefaults: yes, force, isHere }, surroundings), surroundings)
}

const yesNote = 'npm consumed --yes, or its configuration sets it. Put this command\'s flags after "--".'

/** Writes the files and runs the requested steps, until done or stopped; returns the step that failed after all is written. */
async function carryOut(
  { answers, target, files }: Outcome,
  force: boolean,
): Promise<StepFailed | undefined> {
  const stop = new AbortController()
  const stopListening = onStopSignal(() => stop.abort())
  try {
    await writeFiles(target, files, { force, signal: stop.signal })
    if (!answers.git && !answers.install) return undefined
    const { runSteps } = await import('./steps.js')
    await runSteps(answers, target, stop.signal)
    return undefined
  } catch (error) {
    if (error instanceof StepFailed) return error
    throw error
  } finally {
    stopListening()
  }
}

/** Reports an error, for a person or as JSON, and returns the exit code. */
function fail(error: unknown, json: boolean): number {
  const message = describeThrown(error).message
  const usage = error instanceof UsageError || describeThrown(error).name === 'YError'
  if (json) {
    const details = { message, ...detailsOf(error) }
    process.stdout.write(`${JSON.stringify({ error: details }, null, 2)}\n`)
  } else complain(message, usage && !(error instanceof UsageError && error.complete))
  if (error instanceof Cancelled) return exitCodes.cancelled
  return usage ? exitCodes.usage : exitCodes.failure
}

function complain(message: string, hint = false): void {
  const more = hint ? 'Try create-appfactory-plugin --help\n' : ''
  process.stderr.write(`create-appfactory-plugin: ${message}\n${more}`)
}

/** Details of a failure, for programs. */
function detailsOf(error: unknown): object {
  if (error instanceof UsageError) return error.problems.length > 0 ? { problems: error.problems } : {}
  if (error instanceof TargetBusy) return { conflicts: error.conflicts }
  return error instanceof UndoFailed ? { kept: error.kept } : {}
}
