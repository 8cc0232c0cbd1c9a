import { execFileSync } from 'node:child_process'

/**
 * A Python of at least 3.9 for tests: `APPFACTORY_TEST_PYTHON`, else `python3` in PATH. Undefined where there is none, and
 * such tests are skipped.
 *
 * @throws Error in CI, where they must not be.
 */
export function findTestPython(): string | undefined {
  const python = process.env['APPFACTORY_TEST_PYTHON'] ?? 'python3'
  try {
    const code = 'import sys; assert sys.version_info >= (3, 9); print(sys.executable)'
    return execFileSync(python, ['-I', '-c', code], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    if (process.env['CI'] === 'true')
      throw new Error(
        `${python} is no Python of at least 3.9: install one, or name it in APPFACTORY_TEST_PYTHON`,
      )
    return undefined
  }
}
