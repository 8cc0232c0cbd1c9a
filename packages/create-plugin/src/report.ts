import { styleText } from 'node:util'
import type { Answers } from './answers.js'
import { factsOf } from './contracts.js'
import type { StepFailed } from './failures.js'
import { commandsOf } from './package-managers.js'
import type { PlannedFile } from './plan.js'

/** The result of the command, the same with and without `--dry-run`. */
export interface Outcome {
  answers: Answers
  target: string
  /** The target is the current folder. */
  isHere: boolean
  dryRun: boolean
  files: readonly PlannedFile[]
  /** Files that existed before. */
  overwritten: readonly string[]
  /** The command that gives the same answers again. */
  command: string
}

export function report(outcome: Outcome, failed?: StepFailed): string {
  const { answers, target, isHere, dryRun, files, overwritten, command } = outcome
  const lines = files.map(
    ({ path }) => `  ${path}${overwritten.includes(path) ? paint('dim', '  overwritten') : ''}`,
  )
  const head = `${dryRun ? 'Would write' : 'Wrote'} ${files.length} files to ${target}:`
  const steps = nextSteps(answers, isHere, failed?.undone).map((step) => `  ${paint('cyan', step)}`)
  const next = dryRun ? [] : ['', 'Next:', ...steps]
  return [head, ...lines, ...next, '', 'To repeat:', `  ${paint('cyan', command)}`].join('\n')
}

export function reportJson(outcome: Outcome, failed?: StepFailed): string {
  const { answers, target, isHere, dryRun, files, overwritten, command } = outcome
  const listed = files.map(({ path, content }) => ({
    path,
    bytes: byteLength(content),
    ...(overwritten.includes(path) ? { overwritten: true } : {}),
    ...(typeof content === 'string' ? { content } : { base64: Buffer.from(content).toString('base64') }),
  }))
  const next = nextSteps(answers, isHere, failed?.undone)
  const error = failed ? { error: { message: failed.message } } : {}
  return JSON.stringify(
    { answers, target, written: !dryRun, ...error, files: listed, next, command },
    null,
    2,
  )
}

/** The next commands to type. @param undone Commands that should have run already. */
export function nextSteps(
  { name, contract, engine, packageManager, install }: Answers,
  isHere: boolean,
  undone: readonly string[] = [],
): string[] {
  const { install: installs, test, run, exec } = commandsOf(packageManager)
  return [
    ...(isHere ? [] : [`cd ${name}`]),
    ...undone,
    ...(install ? [] : [installs]),
    test,
    `${exec} appfactory-host call ${name} --plugins-dir .. ${factsOf(contract, engine).call}`,
    `${run} dev`,
    `${run} tester`,
  ]
}

function byteLength(content: string | Uint8Array): number {
  return Buffer.byteLength(content)
}

/** Colours, on a terminal only. */
export function paint(format: Parameters<typeof styleText>[0], text: string): string {
  return process.stdout.isTTY && !process.env['NO_COLOR'] ? styleText(format, text) : text
}
