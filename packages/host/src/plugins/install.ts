import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { describeThrown, maxTimerMs, systemCodeOf } from '@appfactory/sdk/internal'
import { ProcessGroup } from '../process/process-group.js'
import { pluginEnvironment } from './environment.js'

/** A run of a package manager. */
export interface Installation {
  plugin: string
  command: string
  args: readonly string[]
  cwd: string
  /** Variables in addition to those of every installation. */
  env: Readonly<Record<string, string>>
  /** `Infinity`: no deadline. */
  timeoutMs: number
  /** An abort ends the package manager and all its processes. */
  signal: AbortSignal
}

/** Why an installation failed. */
export interface InstallFailure {
  /** A clause whose subject is the command. */
  reason: string
  /** The end of what the package manager wrote to stderr. */
  said?: string
  /** Set if the package manager could not be started. */
  cause?: unknown
}

/** How long a package manager may take to exit after SIGTERM. */
const termMs = 2000
/** How long to wait for its last output: a process outside its group may keep the pipes open. */
const lastWordsMs = 500
/** How much of its last output is kept, in characters. */
const keptCharacters = 16_384

/** Settings for package managers, as environment variables. */
const installerVariables =
  /^((https?|no|all)_proxy|npm_config_.+|(yarn|bun_config|corepack)_.+|pnpm_home|xdg_.+_home|ssl_cert_(file|dir)|node_extra_ca_certs|git_ssl_cainfo|(pip|uv)_.+|(requests|curl)_ca_bundle)$/i

/** Would install elsewhere, or build what is not to be built. */
const diverting =
  /^(pip_(target|prefix|root|user|no_binary|only_binary|python)|uv_(python|system_python|target|prefix|no_binary.*|project.*|working_.*))$/i

/** Secrets are excluded: package managers' settings in a plugin's folder could send any variable anywhere. */
const credentials = /auth|passw|token|secret|otp|username|[:_]key$/i

/**
 * Runs a package manager without a shell, in its own process group. Resolves when the whole group has ended, to the failure if
 * there is one.
 */
export async function runInstallation(installation: Installation): Promise<InstallFailure | undefined> {
  const { command, timeoutMs, signal } = installation
  if (signal.aborted) return { reason: 'was not started' }
  try {
    const child = start(installation, await windowsLauncher())
    const said = new LastWords(child)
    const exit = once(child, 'exit')
    const ended = await untilEnded(child, exit, timeoutMs, signal)
    const [code] = await exit
    await said.complete()
    if (ended === undefined && code === 0) return undefined
    return { reason: `${ended ?? `failed with ${code}`}${said.quote()}`, said: said.stderr }
  } catch (error) {
    return notStarted(command, error)
  }
}

type Launcher = typeof import('execa').execa

/** On Windows package managers are `.cmd` files, which execa knows how to start. Elsewhere it would be loaded for nothing. */
async function windowsLauncher(): Promise<Launcher | undefined> {
  return process.platform === 'win32' ? (await import('execa')).execa : undefined
}

/** Returns in the tick in which the process starts, so that its 'error' is listened to. */
function start({ plugin, command, args, cwd, env }: Installation, execa: Launcher | undefined): ChildProcess {
  const options = { cwd, env: { ...installerEnvironment(plugin), ...env } }
  // Node's own `spawn` emits a lack of files as an 'error', where execa would throw what nobody can catch.
  if (execa === undefined)
    return spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const quiet = { stdin: 'ignore', buffer: false, reject: false, cleanup: false, windowsHide: true } as const
  return execa(command, args, { ...options, ...quiet, extendEnv: false })
}

/** The variables of a plugin's process, and those that reach a registry. None of the host's secrets. */
function installerEnvironment(plugin: string): Record<string, string> {
  const needed = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined &&
      installerVariables.test(entry[0]) &&
      !credentials.test(entry[0]) &&
      !diverting.test(entry[0]),
  )
  return { ...Object.fromEntries(needed), ...pluginEnvironment(plugin, {}) }
}

/** Waits for the end, and ends it at the deadline or an abort. Resolves to which of these it was, if any. */
async function untilEnded(
  child: ChildProcess,
  exit: Promise<unknown>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const group = new ProcessGroup(child.pid)
  const waiting = new AbortController()
  const until = { signal: AbortSignal.any([waiting.signal, signal]) }
  const isDeadline = delay(Math.min(timeoutMs, maxTimerMs), true, until).catch(() => false)
  try {
    const isOver = await Promise.race([exit.then(() => true), isDeadline.then(() => false)])
    if (isOver) return undefined
    group.signal('SIGTERM')
    await Promise.race([exit, delay(termMs, undefined, { signal: waiting.signal }).catch(() => {})])
    return (await isDeadline)
      ? `did not finish in ${timeoutMs} ms (installTimeoutMs) and was ended`
      : 'was ended'
  } finally {
    waiting.abort()
    // SIGKILL to the remaining processes.
    group.end()
  }
}

/** The end of a process's output. */
class LastWords {
  readonly #closed: Promise<unknown>
  readonly #child: ChildProcess
  readonly #said = { stdout: '', stderr: '' }

  constructor(child: ChildProcess) {
    this.#child = child
    this.#closed = once(child, 'close').catch(() => {})
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        this.#said[name] = (this.#said[name] + text).slice(-keptCharacters)
      })
    }
  }

  /** Waits briefly for output that is still in the pipes. */
  async complete(): Promise<void> {
    await Promise.race([this.#closed, delay(lastWordsMs, undefined, { ref: false })])
    this.#child.stdout?.destroy()
    this.#child.stderr?.destroy()
  }

  get stderr(): string {
    return this.#said.stderr
  }

  /** The last lines; pnpm and Yarn report errors on stdout. */
  quote(): string {
    const { stdout, stderr } = this.#said
    const lines = (stderr.trim() === '' ? stdout : stderr).split('\n').filter((line) => line.trim() !== '')
    return lines.length === 0 ? '' : `; output: ${lines.slice(-5).join(' ')}`
  }
}

function notStarted(command: string, error: unknown): InstallFailure {
  const code = systemCodeOf(error)
  const reason = code === 'ENOENT' ? `${command} is not installed` : describeThrown(error).message
  return { reason: `could not be started: ${reason}`, cause: error }
}
