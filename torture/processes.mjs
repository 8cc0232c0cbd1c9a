import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** Processes whose working folder lies in `dir`: those of plugins, and what they have started. Linux only. */
export function processesIn(dir) {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.filter((pid) => isIn(dir, workingFolder(pid)) && runs(pid)).map(Number)
}

/** The folder itself, or one inside; not its neighbour whose name only begins as its own. */
function isIn(dir, folder) {
  return folder === dir || folder.startsWith(`${dir}/`)
}

/** The processes in `dir` that are still there after `ms`; it resolves as soon as there are none. */
export async function leftIn(dir, ms) {
  for (const end = Date.now() + ms; Date.now() < end; await delay(20))
    if (processesIn(dir).length === 0) return []
  return processesIn(dir)
}

function workingFolder(pid) {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return ''
  }
}

/** For a person who looks for what went wrong. */
export function describeProcess(pid) {
  return `${pid} in ${workingFolder(pid)}`
}

/** One that has ended, and that nobody has looked after yet, does not. */
function runs(pid) {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
