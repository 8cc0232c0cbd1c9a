import { type ChildProcess, spawn } from 'node:child_process'

/** How long a plugin may take to exit by itself after the host has exited, in seconds. */
const graceSeconds = 2

/**
 * Reads `+ <pid>` and `- <pid>`; after the host has exited, kills the remaining process groups. A shell takes 1 MB, another
 * Node would take 45.
 */
const script = `
trap '' INT TERM HUP
pids=' '
while read -r change pid; do
  case $change in
    +) pids="$pids$pid " ;;
    -) case $pids in *" $pid "*) pids="\${pids%% $pid *} \${pids#* $pid }" ;; esac ;;
  esac
done
[ -n "\${pids# }" ] || exit 0
sleep ${graceSeconds}
for pid in $pids; do kill -KILL "-$pid" 2>/dev/null; done
exit 0
`

let guard: ChildProcess | undefined
const groups = new Set<number>()

/**
 * Ensures that a process group does not outlive this process, however it ends: a plugin in an endless loop never notices the
 * end of its stdin. Not on Windows.
 */
export function guardGroup(pid: number): void {
  if (process.platform === 'win32') return
  groups.add(pid)
  if (guard) tell(`+ ${pid}`)
  else startGuard()
}

/** The process group has ended. */
export function releaseGroup(pid: number): void {
  if (groups.delete(pid)) tell(`- ${pid}`)
}

/** Kills all remaining process groups, for an exit without waiting. */
export function killGroups(): void {
  for (const pid of groups) {
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // ESRCH: the group has no process left.
    }
  }
}

function tell(change: string): void {
  guard?.stdin?.write(`${change}\n`)
}

function startGuard(): void {
  const child: ChildProcess = spawn('/bin/sh', ['-c', script], {
    // A signal to the host's process group must not end the guard.
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  guard = child
  // Without a guard, plugins still exit at the end of their stdin. The next start tries again.
  const forget = (): void => {
    if (guard === child) guard = undefined
  }
  child.on('error', forget)
  child.on('exit', (_code, signal) => {
    forget()
    // Somebody killed it: the groups that it watched, and those that it was told of too late, need another.
    if (signal && groups.size > 0) startGuard()
  })
  // Neither keeps the host from ending.
  child.unref()
  const { stdin } = child
  // Undefined if the system lacks file descriptors.
  stdin?.on('error', () => {})
  if (stdin && 'unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  for (const pid of groups) tell(`+ ${pid}`)
}
