import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { endWithThis } from './children.mjs'

const command = fileURLToPath(new URL('../../packages/host/bin/appfactory-host.js', import.meta.url))
const memoryReporter = new URL('../memory-reporter.mjs', import.meta.url).href

/** A real node of the cluster: `appfactory-host serve --nats`. */
export class Node {
  #child
  #args

  constructor(name, root, urls) {
    this.name = name
    this.root = root
    this.#args = [
      ...[
        '--expose-gc',
        '--import',
        memoryReporter,
        command,
        'serve',
        '--node',
        name,
        '--namespace',
        'torture',
      ],
      ...urls.flatMap((url) => ['--nats', url]),
      ...['--plugins-dir', `${root}/plugins`, '--log-dir', `${root}/logs-${name}`, '--load', 'trial'],
      // Nobody may look after a plugin here but the node.
      ...[
        '--restart-max-crashes',
        'Infinity',
        '--restart-first-delay-ms',
        '20',
        '--restart-max-delay-ms',
        '100',
      ],
    ]
  }

  /** Resolves when it takes calls. */
  async start() {
    const errors = openSync(`${this.root}/errors-${this.name}`, 'a')
    const stdio = ['ignore', 'pipe', errors, 'ipc']
    const child = endWithThis(spawn(process.execPath, this.#args, { cwd: this.root, stdio }))
    closeSync(errors)
    this.#child = child
    this.exited = once(child, 'exit')
    const ended = this.exited.then(([code, signal]) => {
      throw new Error(
        `node ${this.name} ended with ${code ?? signal} before it was ready: ${this.root}/errors-${this.name}`,
      )
    })
    await Promise.race([once(child.stdout, 'data'), ended])
    ended.catch(() => {})
    child.stdout.resume()
  }

  signal(name) {
    this.#child.kill(name)
  }

  /** Resolves when it has ended: to its status, or to the signal. */
  async end(signal) {
    this.signal(signal)
    const [code, by] = await this.exited
    return code ?? by
  }

  /** Bytes that it holds once all garbage is gone. */
  async memory() {
    this.#child.send('memory')
    const [bytes] = await once(this.#child, 'message')
    return bytes
  }
}
