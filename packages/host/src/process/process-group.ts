import { spawn } from 'node:child_process'
import { guardGroup, releaseGroup } from './orphan-guard.js'

/** The process group of a leader and all its children. The group does not outlive the host. */
export class ProcessGroup {
  readonly #pid: number | undefined
  /** Another process may get the id of the leader from then on. */
  #isGone = false

  /** @param pid Of the leader, started `detached`; undefined if it could not be started. */
  constructor(pid: number | undefined) {
    this.#pid = pid
    if (pid !== undefined) guardGroup(pid)
  }

  signal(signal: 'SIGTERM' | 'SIGKILL'): void {
    if (this.#pid === undefined || this.#isGone) return
    if (process.platform === 'win32') {
      endTree(this.#pid)
      return
    }
    try {
      process.kill(-this.#pid, signal)
    } catch {
      // ESRCH: the group has no process left.
    }
  }

  /** The leader has ended: ends its remaining children. */
  end(): void {
    this.signal('SIGKILL')
    this.#isGone = true
    if (this.#pid !== undefined) releaseGroup(this.#pid)
  }
}

/** Ends a process and all its children, on Windows. */
function endTree(pid: number): void {
  const windows = process.env['SystemRoot'] ?? 'C:\\Windows'
  const command = `${windows}\\System32\\taskkill.exe`
  const options = { stdio: 'ignore', windowsHide: true } as const
  // If taskkill can't be started, at least the leader ends.
  spawn(command, ['/pid', String(pid), '/t', '/f'], options).on('error', () => endLeader(pid))
}

function endLeader(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
