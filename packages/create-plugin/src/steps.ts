import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Answers } from './answers.js'
import { StepFailed } from './failures.js'
import { onStopSignal } from './stop-signals.js'

/**
 * Runs the steps after the files are written.
 *
 * @throws StepFailed that names the remaining steps.
 */
export async function runSteps(answers: Answers, target: string, signal: AbortSignal): Promise<void> {
  const steps = stepsOf(answers)
  for (const [index, step] of steps.entries()) {
    if (step.command === 'git' && isInRepository(target)) {
      process.stderr.write('The folder is already inside a git repository; no new one is created.\n')
      continue
    }
    process.stderr.write(`${step.title}…\n`)
    const problem = signal.aborted ? 'it was not started' : await runStep(step, target)
    if (problem === undefined && !signal.aborted) continue
    const undone = steps.slice(problem === undefined ? index + 1 : index).map(lineOf)
    const message = signal.aborted ? `Cancelled: ${lineOf(step)}` : problem
    throw new StepFailed(`${message}. The files are written`, { undone, cancelled: signal.aborted })
  }
}

/** One command to run in the new folder. */
interface Step {
  title: string
  command: string
  args: string[]
}

function lineOf({ command, args }: Step): string {
  return [command, ...args].join(' ')
}

function stepsOf({ git, install, packageManager }: Answers): Step[] {
  return [
    ...(git ? [{ title: 'Creating a git repository', command: 'git', args: ['init', '-q'] }] : []),
    ...(install
      ? [{ title: `Installing with ${packageManager}`, command: packageManager, args: ['install'] }]
      : []),
  ]
}

/** A repository in a repository is rarely meant. */
function isInRepository(folder: string): boolean {
  if (existsSync(join(folder, '.git'))) return true
  const parent = dirname(folder)
  return parent !== folder && isInRepository(parent)
}

/** Variables that npm sets for the command that it runs: they would change the step. */
const meantForUs = /^npm_(package_|lifecycle_|command$|config_(call|package|dry_run|json|force|yes)$)/i

/** Runs a step, with its output on stderr. Resolves to the problem, if any. */
async function runStep(step: Step, cwd: string): Promise<string | undefined> {
  const { command, args } = step
  const shell = process.platform === 'win32'
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !meantForUs.test(key)))
  const child = spawn(command, args, { cwd, env, shell, stdio: ['ignore', 2, 2] })
  // The second signal ends it at once.
  const stopListening = onStopSignal(() => child.kill(child.killed ? 'SIGKILL' : 'SIGTERM'))
  try {
    return await new Promise((resolve) => {
      child.once('error', (error) => resolve(`${command} could not be started: ${error.message}`))
      child.once('close', (code) => {
        if (code === 0) resolve(undefined)
        else resolve(`${lineOf(step)} failed${code === null ? '' : ` with exit code ${code}`}`)
      })
    })
  } finally {
    stopListening()
  }
}
