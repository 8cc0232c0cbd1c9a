import { type ChildProcess, spawn } from 'node:child_process'

/** How long a plugin may take to leave by itself once the host is gone, in seconds. */
const graceSeconds = 2

/**
 * Reads `+ <pid>` and `- <pid>`; once the host is gone, kills the process groups that are left. A shell takes 1 MB
 * where another Node would take 45.
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
 * Sees to it that a process group does not outlive this process, however that ends: a plugin in an endless loop never
 * notices that its input has ended. Not on Windows.
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

/** Kills all process groups that are left, for whoever leaves without waiting. */
export function killGroups(): void {
  for (const pid of groups) {
    try {
      process.kill(-pid, 'SIGKILL')
    } catch {
      // ESRCH: nobody of the group is left.
    }
  }
}

function tell(change: string): void {
  guard?.stdin?.write(`${change}\n`)
}

function startGuard(): void {
  const child: ChildProcess = spawn('/bin/sh', ['-c', script], {
    // What ends the host's process group must not end the guard.
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  guard = child
  const forget = (): void => {
    if (guard === child) guard = undefined
  }
  // Without a guard, plugins still leave at the end of their input. The next one that starts is reason to try again.
  child.on('error', forget)
  child.on('exit', forget)
  // Neither keeps the host from ending.
  child.unref()
  const { stdin } = child
  // Where the system has no more files to give, there is none.
  stdin?.on('error', () => {})
  if (stdin && 'unref' in stdin && typeof stdin.unref === 'function') stdin.unref()
  for (const pid of groups) tell(`+ ${pid}`)
}
