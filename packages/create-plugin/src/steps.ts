import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Answers } from './answers.js'
import { Cancelled } from './failures.js'

/** Does what is to be done once the files are there. */
export async function runSteps(answers: Answers, target: string, signal: AbortSignal): Promise<void> {
  for (const step of stepsOf(answers, target)) {
    process.stderr.write(`${step.title}…\n`)
    await runStep(step, target, signal)
  }
}

/** One command to run in the new folder. */
interface Step {
  title: string
  command: string
  args: string[]
}

function stepsOf({ git, install, packageManager }: Answers, target: string): Step[] {
  return [
    ...(git && !isInRepository(target)
      ? [{ title: 'Making a git repository', command: 'git', args: ['init', '-q'] }]
      : []),
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

/** What npm says to the command that it runs, and flags of this one; they would change what the step does. */
const meantForUs = /^npm_(package_|lifecycle_|command$|config_(call|package|dry_run|json|force|yes)$)/i

/** Runs a step; what it prints goes to stderr. */
async function runStep({ command, args }: Step, cwd: string, signal: AbortSignal): Promise<void> {
  const shell = process.platform === 'win32'
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !meantForUs.test(key)))
  const child = spawn(command, args, { cwd, env, shell, stdio: ['ignore', 2, 2] })
  const stop = (): boolean => child.kill('SIGTERM')
  signal.addEventListener('abort', stop, { once: true })
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', (error) => reject(new Error(`${command} could not be started: ${error.message}`)))
      child.once('close', (code) => {
        if (code === 0) resolve()
        else
          reject(
            new Error(`${[command, ...args].join(' ')} failed${code === null ? '' : ` with status ${code}`}`),
          )
      })
    })
  } catch (error) {
    if (signal.aborted)
      throw new Cancelled(`Cancelled. The files are written; go on with: ${[command, ...args].join(' ')}`)
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
