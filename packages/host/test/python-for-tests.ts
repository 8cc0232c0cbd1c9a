import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const question = 'import sys; print(sys.executable if sys.version_info >= (3, 9) else "")'

/**
 * The Python that tests run plugins with: `APPFACTORY_TEST_PYTHON`, else `python3` in PATH from 3.9 on. Undefined where there is
 * none: such tests are skipped then, and a line says so.
 *
 * @throws Error in CI, and where `APPFACTORY_TEST_PYTHON` names none.
 */
export function findTestPython(): string | undefined {
  const { APPFACTORY_TEST_PYTHON: named, CI } = process.env
  const file = executableOf(named ?? 'python3')
  if (file !== undefined) return file
  const problem = `${named ?? 'python3 in PATH'} is no Python 3.9 or later`
  if (named !== undefined || CI === 'true') throw new Error(`${problem}; name one in APPFACTORY_TEST_PYTHON`)
  process.stderr.write(
    `Skipped: tests of plugins in Python. ${problem}; name one in APPFACTORY_TEST_PYTHON\n`,
  )
  return undefined
}

/** The uv that installs in seconds what tests need of PyPI: `APPFACTORY_TEST_UV`, as in CI, or the one in PATH. */
export function findTestUv(): string | undefined {
  const { APPFACTORY_TEST_UV: named, PATH = '' } = process.env
  const files = PATH.split(delimiter).map((folder) =>
    join(folder, process.platform === 'win32' ? 'uv.exe' : 'uv'),
  )
  return named ?? files.find((file) => existsSync(file))
}

/** The file itself: what PATH has may be a shim, which is slow. */
function executableOf(command: string): string | undefined {
  try {
    return (
      execFileSync(command, ['-I', '-c', question], { encoding: 'utf8', stdio: 'pipe' }).trim() || undefined
    )
  } catch {
    return undefined
  }
}
