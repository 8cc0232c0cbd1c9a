// Runs before each file of unit tests: a test that starts a process fails, so the unit tests stay quick. A file that leaves
// fake timers behind fails too: the next file runs in the same process, and would wait for them for good.
import childProcess from 'node:child_process'
import { syncBuiltinESMExports } from 'node:module'
import { afterAll, vi } from 'vitest'

for (const name of ['exec', 'execFile', 'execFileSync', 'execSync', 'fork', 'spawn', 'spawnSync']) {
  childProcess[name] = () => {
    throw new Error('A unit test starts no process: without “unit” in the name of its file, it may')
  }
}
syncBuiltinESMExports()

afterAll(() => {
  if (!vi.isFakeTimers()) return
  vi.useRealTimers()
  throw new Error('Fake timers are left behind: call vi.useRealTimers() in afterEach() or onTestFinished()')
})
