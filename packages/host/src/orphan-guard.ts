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

function tell(change: string): void {
  guard?.stdin?.write(`${change}\n`)
}

function startGuard(): void {
  const child = spawn('/bin/sh', ['-c', script], {
    // What ends the host's process group must not end the guard.
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  guard = child
  // Without a shell, plugins still leave at the end of their input.
  child.on('error', () => {})
  child.on('exit', () => {
    guard = undefined
  })
  child.stdin.on('error', () => {})
  // Neither keeps the host from ending.
  child.unref()
  if ('unref' in child.stdin && typeof child.stdin.unref === 'function') child.stdin.unref()
  for (const pid of groups) tell(`+ ${pid}`)
}
