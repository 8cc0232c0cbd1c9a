import { spawnSync } from 'node:child_process'

/** The Python that Python plugins are measured with: a file. Undefined where there is none. */
export const python = findPython()

/** A shim would be measured along: the interpreter itself tells where it is. */
function findPython() {
  const { stdout, status } = spawnSync('python3', ['-I', '-c', 'import sys; print(sys.executable)'], {
    encoding: 'utf8',
  })
  return status === 0 ? stdout.trim() : undefined
}
