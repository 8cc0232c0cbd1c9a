import { execFile } from 'node:child_process'
import { lstat, stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { parseJson, systemCodeOf } from '@appfactory/sdk/internal'
import { reasonOf } from '../errors.js'
import { within } from '../waiting.js'
import type { MarkerVariables } from './requirement.js'

/** What a Python says of itself. */
export interface PythonAnswer {
  /** The executable itself: what a shim, or `py`, starts. In a virtual environment, that of the environment. */
  file: string
  /** Such as `3.11.7`. */
  version: string
  /** Whether it belongs to a virtual environment, so that packages may be installed. */
  isVirtual: boolean
  /** The variables of markers. */
  variables: MarkerVariables
}

/** A command that may be a Python. */
export interface Candidate {
  command: string
  args?: readonly string[]
  /** Its environment. Default: the host's own, in which shims find their Python. */
  env?: Readonly<Record<string, string>>
}

/** How long a Python may take to say what it is, in ms: the first start from a slow disk takes seconds. */
const askTimeoutMs = 30_000

const question = `
import json, os, platform, sys
version = platform.python_version()
implementation = sys.implementation.version
released = "" if implementation.releaselevel == "final" else implementation.releaselevel[0] + str(implementation.serial)
sys.stdout.write(json.dumps({
    "file": sys.executable,
    "version": version,
    "isVirtual": sys.prefix != sys.base_prefix,
    "variables": {
        "os_name": os.name,
        "sys_platform": sys.platform,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_version": "%d.%d" % sys.version_info[:2],
        "python_full_version": version,
        "implementation_name": sys.implementation.name,
        "implementation_version": "%d.%d.%d" % implementation[:3] + released,
    },
}))`

/** Variables that change what a Python loads, or that tell of another environment than its own. */
const misleading = /^(PYTHON.*|__PYVENV_LAUNCHER__|VIRTUAL_ENV(_PROMPT)?|CONDA_PREFIX)$/i

function hostEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !misleading.test(entry[0]),
    ),
  )
}

interface Known {
  /** Of the command's file, as it was when it was asked. */
  stamp: string
  answer: Promise<PythonAnswer>
}

const known = new Map<string, Known>()

/**
 * Asks a Python what it is: once, until its file is another one. All who ask meanwhile wait for the same answer.
 *
 * @throws Error whose message is a clause about the command. What fails is asked again the next time.
 */
export async function askPython(candidate: Candidate, signal: AbortSignal): Promise<PythonAnswer> {
  const { command, args } = candidate
  const stamp = await stampOf(command)
  const key = JSON.stringify([command, args, process.env['PYENV_VERSION']])
  const before = known.get(key)
  const fresh = before?.stamp === stamp ? before : { stamp, answer: startAsking(candidate) }
  if (fresh !== before) {
    known.set(key, fresh)
    fresh.answer.catch(() => known.delete(key))
  }
  const answer = await within(fresh.answer, { signal })
  // A shim stays as it is when the Python behind it is removed.
  if ((await stampOf(answer.file)) !== '') return answer
  known.delete(key)
  throw new Error(`answers that it is ${answer.file}, which does not exist`)
}

/** Changes when the file is written, or the link leads elsewhere; empty where there is none. */
async function stampOf(file: string): Promise<string> {
  const stats = await Promise.all([stat(file), lstat(file)]).catch(() => [])
  return stats.map(({ mtimeMs, size, ino }) => `${mtimeMs} ${size} ${ino}`).join(' ')
}

async function startAsking({
  command,
  args = [],
  env = hostEnvironment(),
}: Candidate): Promise<PythonAnswer> {
  const options = {
    env,
    timeout: askTimeoutMs,
    killSignal: 'SIGKILL',
    windowsHide: true,
  } as const
  const { stdout } = await promisify(execFile)(
    command,
    [...args, '-I', '-X', 'utf8', '-c', question],
    options,
  ).catch((error: unknown) => {
    throw new Error(whyNot(error))
  })
  const answer = parsed(stdout)
  if (answer === undefined) throw new Error('is no Python: it does not answer as one')
  return answer
}

function whyNot(error: unknown): string {
  if (systemCodeOf(error) === 'ENOENT') return 'does not exist'
  if (error instanceof Error && Reflect.get(error, 'killed') === true)
    return `did not answer in ${askTimeoutMs} ms`
  const said = error instanceof Error ? String(Reflect.get(error, 'stderr') ?? '').trim() : ''
  return `can’t be run: ${tellingLine(said) ?? exitOf(error)}`
}

/** Of what a program said before it failed: shims begin with the reason, Python ends with it, and both add advice or stacks. */
function tellingLine(said: string): string | undefined {
  const lines = said.split('\n').filter((line) => line.trim() !== '')
  const line = lines.findLast((one) => /error|not found/i.test(one)) ?? lines[0]
  return line?.trim().replace(/\.$/, '')
}

/** How it failed, without the program that it was to run. */
function exitOf(error: unknown): string {
  const code = error instanceof Error ? Reflect.get(error, 'code') : undefined
  return typeof code === 'number' ? `it exited with code ${code} and said nothing` : reasonOf(error)
}

function parsed(text: string): PythonAnswer | undefined {
  try {
    const answer: unknown = parseJson(text)
    return isAnswer(answer) ? answer : undefined
  } catch {
    return undefined
  }
}

function isAnswer(value: unknown): value is PythonAnswer {
  if (typeof value !== 'object' || value === null) return false
  const { file, version, variables } = Object(value)
  return (
    typeof file === 'string' && file !== '' && typeof version === 'string' && typeof variables === 'object'
  )
}
