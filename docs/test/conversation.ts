import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { matches } from './match.js'

const answerMs = 20_000

/** A process that speaks JSON lines, and what a document says that it says. */
export class Conversation {
  readonly #process: ChildProcess
  readonly #answers: AsyncIterator<string>

  constructor([file = '', ...args]: readonly string[], cwd: string) {
    this.#process = spawn(file, args, { cwd, stdio: ['pipe', 'pipe', 'ignore'] })
    if (!this.#process.stdout) throw new Error('no stdout')
    this.#answers = createInterface(this.#process.stdout)[Symbol.asyncIterator]()
  }

  /** Sends the "--> " lines of a block, and compares the answers with its "<-- " lines. */
  async hold(text: string): Promise<void> {
    for (const line of text.split('\n').filter((each) => each.trim() !== '')) {
      const [, direction, message = ''] = /^(-->|<--) (.*)$/.exec(line) ?? []
      if (direction === '-->') this.#process.stdin?.write(`${message}\n`)
      else if (direction === '<--') await this.#expect(message)
      else throw new Error(`A line begins with "--> " or "<-- ", not: ${line}`)
    }
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.stdin?.end()
    await ended
  }

  async #expect(message: string): Promise<void> {
    const answer = await this.#next(message)
    if (!matches(JSON.parse(message), JSON.parse(answer)))
      throw new Error(`The document says\n  ${message}\nbut the answer is\n  ${answer.slice(0, 2000)}`)
  }

  async #next(message: string): Promise<string> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`Nothing was answered; expected: ${message}`)), answerMs)
    })
    try {
      const { value, done } = await Promise.race([this.#answers.next(), late])
      if (done) throw new Error(`The process has ended; expected: ${message}`)
      return value
    } finally {
      clearTimeout(timer)
    }
  }
}
