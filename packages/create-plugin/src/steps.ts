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

/** Runs a step; what it prints goes to stderr. */
async function runStep({ command, args }: Step, cwd: string, signal: AbortSignal): Promise<void> {
  const shell = process.platform === 'win32'
  // Not ours: the flags of this command would be the flags of that one.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !/^npm_(config|package|lifecycle)_/.test(key)),
  )
  const child = spawn(command, args, { cwd, env: { ...env, ...passedOn() }, shell, stdio: ['ignore', 2, 2] })
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

/** Where packages come from and where they are kept is the user's setting, however it was made. */
function passedOn(): Record<string, string> {
  const settings = Object.entries(process.env).filter(([key]) =>
    /^npm_config_(registry|cache|userconfig)$/i.test(key),
  )
  return Object.fromEntries(settings.map(([key, value]) => [key, value ?? '']))
}
