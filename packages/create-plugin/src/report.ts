import { styleText } from 'node:util'
import type { Answers } from './answers.js'
import { contractFacts } from './contracts.js'
import { commandsOf } from './package-managers.js'
import type { PlannedFile } from './plan.js'

/** What was done, or would be: the same with `--dry-run` and without. */
export interface Outcome {
  answers: Answers
  target: string
  dryRun: boolean
  files: readonly PlannedFile[]
  /** The command that gives the same answers again. */
  command: string
}

export function report({ answers, target, dryRun, files, command }: Outcome): string {
  const lines = files.map(({ path, content }) => `  ${path}  ${paint('dim', `${byteLength(content)} bytes`)}`)
  const head = dryRun
    ? `Would write ${files.length} files to ${target}:`
    : `Wrote ${files.length} files to ${target}:`
  const next = dryRun ? [] : ['', 'Next:', ...nextSteps(answers).map((step) => `  ${paint('cyan', step)}`)]
  return [head, ...lines, ...next, '', 'The same again:', `  ${paint('cyan', command)}`].join('\n')
}

export function reportJson({ answers, target, dryRun, files, command }: Outcome): string {
  const listed = files.map(({ path, content }) => ({
    path,
    bytes: byteLength(content),
    ...(typeof content === 'string' ? { content } : { base64: Buffer.from(content).toString('base64') }),
  }))
  return JSON.stringify(
    { answers, target, written: !dryRun, files: listed, next: nextSteps(answers), command },
    null,
    2,
  )
}

/** What one types now. */
export function nextSteps({ name, contract, packageManager, install }: Answers): string[] {
  const { install: installs, test, exec } = commandsOf(packageManager)
  return [
    `cd ${name}`,
    ...(install ? [] : [installs]),
    test,
    `${exec} appfactory-host call ${name} --plugins-dir .. ${contractFacts[contract].call}`,
  ]
}

function byteLength(content: string | Uint8Array): number {
  return Buffer.byteLength(content)
}

/** Colours, on a terminal only. */
export function paint(format: Parameters<typeof styleText>[0], text: string): string {
  return process.stdout.isTTY && !process.env['NO_COLOR'] ? styleText(format, text) : text
}
