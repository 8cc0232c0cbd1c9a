import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { onTestFinished } from 'vitest'
import type { AtEnd } from './temp-dir.js'

/** One message of JSON-RPC as it came over the pipe, unchecked. */
export interface RawMessage {
  jsonrpc?: unknown
  id?: unknown
  method?: unknown
  params?: Record<string, unknown>
  result?: unknown
  error?: { code: number; message: string; data?: Record<string, unknown> }
}

export interface LinesProcessOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** The command that runs node. */
  through?: readonly string[]
  /** When it is killed: at the end of the test, where nothing else is said. */
  atEnd?: AtEnd
}

interface Waiter {
  matches(message: RawMessage | RawMessage[]): boolean
  resolve(message: RawMessage | RawMessage[]): void
  reject(error: Error): void
}

/** A real child process that speaks JSON lines, without any of our own code at this end. */
export class LinesProcess {
  /** Everything that came, in order. The answer to a batch is an array. */
  readonly received: (RawMessage | RawMessage[])[] = []
  /** Lines on stdout that are not JSON. */
  readonly garbage: string[] = []
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  readonly child: ChildProcessWithoutNullStreams
  stderr = ''
  #unread: (RawMessage | RawMessage[])[] = []
  #waiters: Waiter[] = []
  #rest = ''
  #lastId = 0
  #ended = false

  /** Runs `node file …args`. */
  constructor(
    file: string,
    args: readonly string[],
    { through = [], atEnd = onTestFinished, ...options }: LinesProcessOptions = {},
  ) {
    const [command = '', ...rest] = [...through, process.execPath, file, ...args]
    this.child = spawn(command, rest, { stdio: 'pipe', ...options })
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => this.#receive(text))
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
    })
    this.child.stdin.on('error', () => {})
    this.exited = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        this.#end()
        resolve({ code, signal })
      })
    })
    atEnd(async () => {
      this.child.kill('SIGKILL')
      await this.exited
    })
  }

  get pid(): number {
    return this.child.pid ?? -1
  }

  write(raw: string | Uint8Array): void {
    this.child.stdin.write(raw)
  }

  send(message: unknown): void {
    this.write(`${JSON.stringify(message)}\n`)
  }

  notify(method: string, params?: unknown): void {
    this.send({ jsonrpc: '2.0', method, ...(params === undefined ? {} : { params }) })
  }

  /** Sends a request with an id of its own, and returns the id. */
  request(method: string, params?: unknown): number {
    const id = ++this.#lastId
    this.send({ jsonrpc: '2.0', method, id, ...(params === undefined ? {} : { params }) })
    return id
  }

  /** Sends a request and waits for its response, whatever it is. */
  ask(method: string, params?: unknown): Promise<RawMessage> {
    return this.reply(this.request(method, params))
  }

  /** Sends a request that must succeed. */
  async result<Result = unknown>(method: string, params?: unknown): Promise<Result> {
    const { error, result } = await this.ask(method, params)
    if (error) throw new Error(`${method}: ${error.code} ${error.message}`)
    return result as Result
  }

  /** The next response to the request `id`. */
  reply(id: unknown): Promise<RawMessage> {
    return this.take((message) => message.method === undefined && message.id === id)
  }

  notification(method: string, matches: (params: Record<string, unknown>) => boolean = () => true) {
    return this.take((message) => message.method === method && matches(message.params ?? {}))
  }

  /** The next message that is not a batch and matches, out of those that nobody has taken. */
  async take(matches: (message: RawMessage) => boolean): Promise<RawMessage> {
    return (await this.#next((message) => !Array.isArray(message) && matches(message))) as RawMessage
  }

  /** The next answer to a batch. */
  async batch(): Promise<RawMessage[]> {
    return (await this.#next(Array.isArray)) as RawMessage[]
  }

  /** All responses to the request `id` so far. */
  repliesTo(id: unknown): RawMessage[] {
    return this.received.flat().filter((message) => message.method === undefined && message.id === id)
  }

  /** Closes stdin and waits for the process to end. */
  async finish(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.child.stdin.end()
    return this.exited
  }

  #next(matches: Waiter['matches']): Promise<RawMessage | RawMessage[]> {
    const at = this.#unread.findIndex(matches)
    const found = at === -1 ? undefined : this.#unread.splice(at, 1)[0]
    if (found) return Promise.resolve(found)
    return new Promise((resolve, reject) => {
      if (this.#ended) reject(this.#tooLate())
      else this.#waiters.push({ matches, resolve, reject })
    })
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#receiveLine(line)
  }

  #receiveLine(line: string): void {
    let message: RawMessage | RawMessage[]
    try {
      message = JSON.parse(line) as RawMessage | RawMessage[]
    } catch {
      this.garbage.push(line)
      return
    }
    this.received.push(message)
    const at = this.#waiters.findIndex(({ matches }) => matches(message))
    if (at === -1) this.#unread.push(message)
    else this.#waiters.splice(at, 1)[0]?.resolve(message)
  }

  #end(): void {
    this.#ended = true
    if (this.#rest !== '') this.garbage.push(this.#rest)
    for (const { reject } of this.#waiters.splice(0)) reject(this.#tooLate())
  }

  #tooLate(): Error {
    return new Error(`The process has ended. Its stderr: ${this.stderr.slice(-2000)}`)
  }
}

/** Whether a process of that id is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
