import type { Duplex, Readable, Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { reopenAsBytePipe } from '@appfactory/sdk/wire'
import { execa } from 'execa'
import { ProcessGroup } from './process-group.js'

export interface Exit {
  code: number | undefined
  signal: string | undefined
}

/** How long a process may take to leave: after the end of its input, and after SIGTERM. */
export interface Patience {
  endMs: number
  termMs: number
}

export interface Launch {
  file: string
  args: readonly string[]
  cwd: string
  /** All of it: nothing of the host's own comes along. */
  env: Record<string, string>
}

/** A child process with a process group of its own. */
export class ChildProcess {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  /** Raw bytes, both ways. */
  readonly bytes: Duplex
  readonly pid: number | undefined
  /** Resolves when the process has ended; never rejects. A process that could not be started has no code. */
  readonly exited: Promise<Exit>
  readonly #child: ReturnType<typeof spawn>
  readonly #group: ProcessGroup

  constructor(launch: Launch) {
    this.#child = spawn(launch)
    this.stdin = this.#child.stdin
    this.stdout = this.#child.stdout
    this.stderr = this.#child.stderr
    this.bytes = reopenAsBytePipe(this.#child.stdio[3] as unknown as Duplex)
    this.pid = this.#child.pid
    this.#group = new ProcessGroup(this.pid)
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) =>
        resolve({ code: code ?? undefined, signal: signal ?? undefined }),
      )
      this.#child.once('error', () => resolve({ code: undefined, signal: undefined }))
    })
    void this.exited.then(() => this.#group.end())
  }

  /** Asks the process to leave, ever more firmly. Resolves when it has ended. */
  async stop({ endMs, termMs }: Patience): Promise<void> {
    this.stdin.end()
    if (await this.#exitsWithin(endMs)) return
    this.#group.signal('SIGTERM')
    if (await this.#exitsWithin(termMs)) return
    this.kill()
    await this.exited
  }

  /** Ends the process and its children at once. */
  kill(): void {
    this.#group.signal('SIGKILL')
  }

  async #exitsWithin(ms: number): Promise<boolean> {
    const timer = new AbortController()
    const outcome = await Promise.race([
      this.exited.then(() => true),
      delay(ms, false, { signal: timer.signal }).catch(() => false),
    ])
    timer.abort()
    return outcome
  }
}

/** The one place that starts processes of plugins. */
function spawn({ file, args, cwd, env }: Launch) {
  return execa(file, args, {
    cwd,
    env,
    extendEnv: false,
    buffer: false,
    reject: false,
    // The fourth carries raw bytes both ways.
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
    windowsHide: true,
  })
}
