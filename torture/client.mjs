import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { answerLimitMs, settles } from './deadline.mjs'

const command = fileURLToPath(new URL('../packages/host/bin/appfactory-host.js', import.meta.url))
const memoryReporter = new URL('memory-reporter.mjs', import.meta.url).href

/** A client of a real `appfactory-host`: raw lines out, and an account of every line that comes in. */
export class Client {
  /** Lines that answer a call that is not open: it never was, or has its answer already. */
  stray = []
  /** Answers to lines that could not be taken for a request. */
  complaints = 0
  onPiece = () => {}
  #child
  #open = new Map()
  #lastId = 0
  #rest = ''
  #paused = false
  #drained

  constructor(root) {
    const args = [
      '--expose-gc',
      '--import',
      memoryReporter,
      command,
      '--plugins-dir',
      root,
      '--log-dir',
      `${root}/logs`,
    ]
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit', 'ipc'] })
    this.#child.stdout.setEncoding('utf8').on('data', (chunk) => this.#receive(chunk))
    this.#child.stdin.on('error', () => {})
    this.exited = once(this.#child, 'exit').then(([code]) => code)
  }

  get pid() {
    return this.#child.pid
  }

  get openCalls() {
    return this.#open.size
  }

  /** Resolves to the response, whatever it is. Throws where there is none in time. */
  async ask(method, params) {
    const { response } = this.begin(method, params)
    if (!(await settles(response))) throw new Error(`${method} was not answered in ${answerLimitMs} ms`)
    return response
  }

  begin(method, params) {
    const id = ++this.#lastId
    const response = new Promise((resolve) => this.#open.set(id, resolve))
    this.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`)
    return { id, response }
  }

  notify(method, params) {
    this.write(`${JSON.stringify({ jsonrpc: '2.0', method, params })}\n`)
  }

  /** Resolves when there is room for more. */
  async write(text) {
    if (this.#child.stdin.write(text)) return
    this.#drained ??= once(this.#child.stdin, 'drain').finally(() => {
      this.#drained = undefined
    })
    await this.#drained
  }

  /** Reads nothing for a while. */
  stopReading(ms) {
    if (this.#paused) return
    this.#paused = true
    this.#child.stdout.pause()
    setTimeout(() => {
      this.#paused = false
      this.#child.stdout.resume()
    }, ms)
  }

  /** Bytes that the host holds once all garbage is gone. */
  async memory() {
    this.#child.send('memory')
    const [bytes] = await once(this.#child, 'message')
    return bytes
  }

  /** The status that the host ends with. */
  async close() {
    this.#child.stdin.end()
    return this.exited
  }

  #receive(chunk) {
    const lines = (this.#rest + chunk).split('\n')
    this.#rest = lines.pop()
    for (const line of lines) this.#receiveMessage(JSON.parse(line))
  }

  #receiveMessage({ method, params, ...response }) {
    if (method === '$/stream') this.onPiece(params)
    else if (method !== undefined) return
    else if (response.id === null) this.complaints += 1
    else this.#settle(response)
  }

  #settle(response) {
    const resolve = this.#open.get(response.id)
    this.#open.delete(response.id)
    if (resolve) resolve(response)
    else this.stray.push(response)
  }
}
