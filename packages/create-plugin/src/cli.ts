import { resolve } from 'node:path'
import { version } from 'virtual:versions'
import type { Answers, Surroundings } from './answers.js'
import { type Arguments, parseArguments } from './arguments.js'
import { repeatCommand } from './command-line.js'
import { Cancelled, exitCodes, UsageError } from './failures.js'
import { packageManagerOf } from './package-managers.js'
import { plan } from './plan.js'
import { checkGiven, missing, openQuestions, withDefaults } from './read-answers.js'
import { type Outcome, report, reportJson } from './report.js'
import { refuseSwallowedFlags } from './swallowed.js'
import { writeFiles } from './write.js'

/** Runs the command and sets the exit status of the process. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    refuseSwallowedFlags(argv, process.env, process.platform)
    const args = await parseArguments(argv)
    if (args) await create(args)
  } catch (error) {
    process.exitCode = fail(error, argv.includes('--json'))
  }
}

async function create({ given, yes, dryRun, json, force }: Arguments): Promise<void> {
  const answers = await complete(given, yes, json)
  const target = resolve(answers.name)
  const command = repeatCommand(answers, version, process.platform)
  const outcome: Outcome = { answers, target, dryRun, files: plan(answers), command }
  if (!dryRun) await carryOut(outcome, force)
  process.stdout.write(`${json ? reportJson(outcome) : report(outcome)}\n`)
}

/** All answers: from the command line, from a person where there is one, and from the defaults. */
async function complete(flags: Arguments['given'], yes: boolean, json: boolean): Promise<Answers> {
  const surroundings: Surroundings = {
    packageManager: packageManagerOf(process.env['npm_config_user_agent']),
  }
  const given = checkGiven(flags)
  const open = openQuestions(given, yes)
  if (open.length === 0) return withDefaults(given, surroundings)
  if (json || !process.stdin.isTTY || !process.stdout.isTTY) throw missing(open)
  const { ask } = await import('./ask.js')
  return withDefaults(await ask(given, yes, surroundings), surroundings)
}

/** Writes, and does what else was asked for, until it is done or somebody stops it. */
async function carryOut({ answers, target, files }: Outcome, force: boolean): Promise<void> {
  const stop = new AbortController()
  const onSignal = (): void => stop.abort()
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
  try {
    await writeFiles(target, files, { force, signal: stop.signal })
    if (answers.git || answers.install) {
      const { runSteps } = await import('./steps.js')
      await runSteps(answers, target, stop.signal)
    }
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

/** Says what went wrong, for a person or as JSON, and returns the exit status. */
function fail(error: unknown, json: boolean): number {
  const message = error instanceof Error ? error.message : String(error)
  const usage = error instanceof UsageError || (error instanceof Error && error.name === 'YError')
  const problems =
    error instanceof UsageError && error.problems.length > 0 ? { problems: error.problems } : {}
  if (json) process.stdout.write(`${JSON.stringify({ error: { message, ...problems } }, null, 2)}\n`)
  else
    process.stderr.write(
      `create-appfactory-plugin: ${message}\n${usage ? 'Try create-appfactory-plugin --help\n' : ''}`,
    )
  if (error instanceof Cancelled) return exitCodes.cancelled
  return usage ? exitCodes.usage : exitCodes.failure
}
