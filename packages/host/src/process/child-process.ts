import { type ChildProcess as NodeProcess, spawn as spawnProcess } from 'node:child_process'
import { Socket } from 'node:net'
import { type Duplex, PassThrough, type Readable, type Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { describeThrown, reopenAsBytePipe } from '@appfactory/sdk/internal'
import { ProcessGroup } from './process-group.js'

export interface Exit {
  code: number | undefined
  signal: string | undefined
  /** Why it could not be started. */
  reason?: string
}

/** The fourth carries raw bytes, the fifth messages. Windows may hold a write on a pipe back as long as it is also read there. */
const pipes: 'pipe'[] = Array(process.platform === 'win32' ? 4 : 5).fill('pipe')

/** How long a process may take to exit: after end-of-file on stdin, and after SIGTERM. */
export interface StopTimeouts {
  endMs: number
  termMs: number
}

export interface Launch {
  file: string
  args: readonly string[]
  cwd: string
  /** The complete environment: none of the host's variables are added. */
  env: Record<string, string>
}

/** A child process in its own process group. */
export class ChildProcess {
  readonly stdin: Writable
  readonly stdout: Readable
  readonly stderr: Readable
  /** Raw bytes, both ways. */
  readonly bytes: Duplex
  /** Messages, both ways, for runtimes that use this pipe instead of stdin and stdout. Undefined on Windows. */
  readonly messages: Duplex | undefined
  readonly pid: number | undefined
  /** Resolves when the process has ended; never rejects. A process that could not be started has no code. */
  readonly exited: Promise<Exit>
  readonly #group: ProcessGroup
  readonly #child: NodeProcess | undefined
  #isRef = true

  constructor(launch: Launch) {
    const { child, failed } = spawn(launch)
    this.#child = child
    // At once: until then, nobody would end the process if the host were killed.
    this.pid = child?.pid
    this.#group = new ProcessGroup(this.pid)
    const [stdin, stdout, stderr, bytes, messages] = (child?.stdio ?? []) as (Duplex | undefined)[]
    this.stdin = stdin ?? nothing()
    this.stdout = stdout ?? nothing()
    this.stderr = stderr ?? nothing()
    this.bytes = bytes ? reopenAsBytePipe(bytes) : nothing()
    this.messages = messages && keepReadable(messages)
    for (const pipe of this.#pipes) pipe.on('error', () => {})
    this.exited = Promise.race([ended(child), failed])
    void this.exited.then(() => this.#group.end())
  }

  /** How many bytes have come through its pipes so far. */
  get bytesRead(): number {
    return this.#pipes.reduce((sum, pipe) => sum + (pipe instanceof Socket ? pipe.bytesRead : 0), 0)
  }

  /** Whether it keeps this process from ending. Default: true. */
  setRef(isRef: boolean): void {
    if (isRef === this.#isRef) return
    this.#isRef = isRef
    // The pipes need not: what is read from them follows from what the process does.
    for (const pipe of this.#pipes) if (!isRef && pipe instanceof Socket) pipe.unref()
    if (isRef) this.#child?.ref()
    else this.#child?.unref()
  }

  /** Its output is read: another process that holds its pipes must not keep them, and this process, open. */
  closePipes(): void {
    for (const pipe of this.#pipes) pipe.destroy()
  }

  /** The process uses another pipe for messages: closes its stdin. */
  endStdin(): void {
    this.stdin.destroy()
  }

  /** Stops the process in steps: end of stdin, SIGTERM, SIGKILL. Resolves when it has ended. */
  async stop({ endMs, termMs }: StopTimeouts): Promise<void> {
    this.stdin.end()
    this.messages?.end()
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

  get #pipes(): readonly (Readable | Writable)[] {
    const { stdin, stdout, stderr, bytes, messages } = this
    return [stdin, stdout, stderr, bytes, ...(messages ? [messages] : [])]
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
function spawn({ file, args, cwd, env }: Launch): { child: NodeProcess | undefined; failed: Promise<Exit> } {
  try {
    const child = spawnProcess(file, args, {
      cwd,
      env,
      stdio: pipes,
      detached: process.platform !== 'win32',
      windowsHide: true,
    })
    // Before anything else: if the system lacks file descriptors, the process has no pipes, and its error follows later.
    const failed = new Promise<Exit>((resolve) => {
      child.on('error', (error) => resolve(failure(error)))
    })
    return { child, failed }
  } catch (error) {
    return { child: undefined, failed: Promise.resolve(failure(error)) }
  }
}

function ended(child: NodeProcess | undefined): Promise<Exit> {
  return new Promise((resolve) => {
    child?.once('exit', (code, signal) => resolve({ code: code ?? undefined, signal: signal ?? undefined }))
  })
}

function failure(error: unknown): Exit {
  return { code: undefined, signal: undefined, reason: describeThrown(error).message }
}

/**
 * A write to a process that has left fails. Node would destroy the whole socket then, and with it all that the process wrote
 * before it left and that is still to be read: what can't be written is dropped instead.
 */
function keepReadable(socket: Duplex): Duplex {
  const write = socket._write.bind(socket)
  const writeAll = socket._writev?.bind(socket)
  socket._write = (chunk, encoding, done) => write(chunk, encoding, () => done())
  if (writeAll) socket._writev = (chunks, done) => writeAll(chunks, () => done())
  return socket
}

/** Stands in for a pipe of a process that could not be started. */
function nothing(): Duplex {
  const pipe = new PassThrough()
  pipe.end()
  return pipe
}
