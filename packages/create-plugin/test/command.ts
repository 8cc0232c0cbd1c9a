import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

/** The built command. */
export const command = fileURLToPath(new URL('../dist/create.cjs', import.meta.url))

export interface Ended {
  status: number | null
  out: string
  error: string
}

export interface Options {
  cwd: string
  env?: Record<string, string>
  onStart?: (child: ChildProcess) => void
}

/** Runs the command as a process, without a terminal and without what npm told the tests. */
export function run(args: readonly string[], options: Options): Promise<Ended> {
  return spawned(process.execPath, [command, ...args], options)
}

export async function spawned(
  file: string,
  args: readonly string[],
  { cwd, env = {}, onStart }: Options,
): Promise<Ended> {
  const child = spawn(file, args, {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onStart?.(child)
  let [out, error] = ['', '']
  child.stdout.on('data', (data: Buffer) => {
    out += data.toString()
  })
  child.stderr.on('data', (data: Buffer) => {
    error += data.toString()
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => resolve({ status, out, error }))
  })
}

function cleanEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([key]) => !/^npm_/i.test(key))
  return { ...Object.fromEntries(entries), NO_COLOR: '1' }
}

/** A folder of its own, gone after the test. */
export function temporaryFolder(): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'create-plugin-')))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** All files of a folder with their text, by path. */
export function filesIn(dir: string): Record<string, string> {
  if (!existsSync(dir)) return {}
  const paths = readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort()
  const files = paths.filter((path) => statSync(join(dir, path)).isFile())
  return Object.fromEntries(
    files.map((path) => [path.replaceAll('\\', '/'), readFileSync(join(dir, path), 'latin1')]),
  )
}
