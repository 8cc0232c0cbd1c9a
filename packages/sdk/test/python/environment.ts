import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findTestPython, findTestUv } from '../../../host/test/python-for-tests.js'

const dist = fileURLToPath(new URL('../../dist/python/', import.meta.url))
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

/** The wheel that the build made. */
export const wheel = join(dist, `appfactory-${version}-py3-none-any.whl`)

/** The same files, as the host starts them. */
export const pythonFolder = dist

/**
 * The interpreter of a virtual environment with packages of PyPI, kept between runs. Undefined where there is no Python.
 *
 * @param requirements As pip takes them: `pytest`, `openai==3.*`.
 * @throws Error where a package can't be installed.
 */
export function pythonWith(...requirements: [string, ...string[]]): string | undefined {
  const python = findTestPython()
  if (python === undefined) return undefined
  const caches = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url))
  const digest = createHash('sha256')
    .update([python, ...requirements].join('\n'))
    .digest('hex')
    .slice(0, 8)
  const [name = ''] = requirements[0].split(/[^\w-]/, 1)
  const folder = join(caches, `${name}-${digest}`)
  const interpreter = join(
    folder,
    ...(process.platform === 'win32' ? ['Scripts', 'python.exe'] : ['bin', 'python']),
  )
  mkdirSync(caches, { recursive: true })
  makeOnce(folder, () => install(python, folder, interpreter, requirements))
  return interpreter
}

function install(python: string, folder: string, interpreter: string, requirements: readonly string[]): void {
  const uv = findTestUv()
  if (uv === undefined) {
    execFileSync(python, ['-m', 'venv', folder])
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
    execFileSync(interpreter, [...pip, ...requirements])
  } else {
    // As of venv, with pip.
    execFileSync(uv, ['venv', '--quiet', '--seed', '--python', python, folder])
    execFileSync(uv, ['pip', 'install', '--quiet', '--python', interpreter, ...requirements])
  }
}

const patienceMs = 120_000

/** Makes a folder once, whichever of several test files comes first; the others wait for it. */
function makeOnce(folder: string, make: () => void): void {
  const isComplete = (): boolean => existsSync(join(folder, 'complete'))
  const lock = `${folder}.lock`
  for (const end = Date.now() + patienceMs; !isComplete(); ) {
    if (tryLock(lock)) {
      try {
        if (isComplete()) return
        rmSync(folder, { recursive: true, force: true })
        make()
        writeFileSync(join(folder, 'complete'), '')
      } finally {
        rmdirSync(lock)
      }
    } else if (Date.now() > end) throw new Error(`${lock} is left of a run that was killed: delete it`)
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
  }
}

function tryLock(lock: string): boolean {
  try {
    mkdirSync(lock)
    return true
  } catch {
    return false
  }
}
