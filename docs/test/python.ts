import { execFileSync } from 'node:child_process'
import { delimiter, dirname } from 'node:path'
import { pythonWith, wheel } from '../../packages/sdk/test/python/environment.js'

/** The interpreter that runs blocks in Python. Undefined where there is none: they are skipped. */
export const python = pythonWith('pytest')

/** Installs the wheel into a folder and lets all commands find it, and `python`, as a reader's do. */
export function installWheel(folder: string): void {
  if (python === undefined) return
  const quietly = ['--quiet', '--no-index', '--disable-pip-version-check']
  execFileSync(python, ['-m', 'pip', 'install', ...quietly, '--target', folder, wheel])
  process.env['PATH'] = `${dirname(python)}${delimiter}${process.env['PATH']}`
  process.env['PYTHONPATH'] = folder
  process.env['AF_PYTHON'] = python
}
