import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { ended } from './fork.mjs'

/** A Node process that answers one line, started and answered. */
export async function start() {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../children/bare.mjs', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.stdin.write('{}\n')
  const [line] = await once(child.stdout, 'data')
  return {
    pid: child.pid,
    memoryMb: JSON.parse(line).memoryMb,
    stop: () => ended(child, () => child.stdin.end()),
  }
}
