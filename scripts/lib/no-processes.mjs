// Runs before each unit test: a test that starts a process fails, so the unit tests stay quick.
import childProcess from 'node:child_process'
import { syncBuiltinESMExports } from 'node:module'

for (const name of ['exec', 'execFile', 'execFileSync', 'execSync', 'fork', 'spawn', 'spawnSync']) {
  childProcess[name] = () => {
    throw new Error('A unit test starts no process: without “unit” in the name of its file, it may')
  }
}
syncBuiltinESMExports()
