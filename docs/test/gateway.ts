import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { root } from './reader.js'

const command = join(root, 'packages/host/bin/appfactory-host.js')

/** A gateway as a page starts it, on any free port. */
export class ServedGateway implements AsyncDisposable {
  readonly #child: ChildProcess
  /** As in 127.0.0.1:8080. */
  readonly address: string

  private constructor(child: ChildProcess, address: string) {
    this.#child = child
    this.address = address
  }

  /** @param args Behind `appfactory-host`. */
  static async start(args: readonly string[]): Promise<ServedGateway> {
    const all = [command, ...args, '--port', '0', '--log-dir', '-']
    const child = spawn(process.execPath, all, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
    for await (const line of createInterface(child.stdout)) {
      const [, address] = /^Gateway: http:\/\/(.*)\/v1$/.exec(line) ?? []
      if (address !== undefined) return new ServedGateway(child, address)
    }
    throw new Error(`${args.join(' ')} ended before it served`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.#child, 'exit')
    this.#child.kill()
    await exited
  }
}
