import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { describe } from 'vitest'

/**
 * The NATS server of this machine: `NATS_SERVER`, or the first in PATH. Undefined where there is none: tests of the cluster are
 * skipped then, and a line says so.
 *
 * @throws Error in CI, and where `NATS_SERVER` names none: where everything has to be checked, nothing may be left out silently.
 */
function findNatsServer(): string | undefined {
  const { NATS_SERVER: named, PATH = '', CI } = process.env
  const file = process.platform === 'win32' ? 'nats-server.exe' : 'nats-server'
  const found =
    named ??
    PATH.split(delimiter)
      .map((folder) => join(folder, file))
      .find(existsSync)
  if (found !== undefined && existsSync(found)) return found
  const problem = `There is no NATS server: ${named ?? 'none in PATH'}. Install it (apt-get install nats-server), or name it in NATS_SERVER`
  if (named !== undefined || CI) throw new Error(problem)
  process.stderr.write(`Skipped: tests of the cluster. ${problem}\n`)
  return undefined
}

const executable = findNatsServer()

/** As `describe`; skipped, with a line that says why, where there is no NATS server. */
export function describeWithNats(name: string, body: () => void): void {
  describe.skipIf(executable === undefined)(name, body)
}

export interface NatsServerOptions {
  /** Default: any that is free. */
  port?: number
  /** Text of its configuration. Default: none. */
  config?: string
  /** Where it listens. Default: 127.0.0.1. */
  address?: string
}

/** A NATS server of the tests. */
export interface NatsServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Sends a signal to its process. */
  kill(signal: NodeJS.Signals): void
  /** Ends it, and resolves when its process has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again on the same port, after `stop()`. */
  restart(): Promise<void>
}

/** Starts a NATS server in a temporary folder. Resolves when it takes connections. */
export async function startNatsServer({
  port = -1,
  config,
  address = '127.0.0.1',
}: NatsServerOptions = {}): Promise<NatsServer> {
  const folder = await mkdtemp(join(tmpdir(), 'appfactory-nats-'))
  const file = join(folder, 'nats.conf')
  await writeFile(file, config ?? '')
  let running = await launch(folder, [file, address, port])
  const stop = async (signal: NodeJS.Signals = 'SIGKILL'): Promise<void> => {
    if (running.child.exitCode !== null || running.child.signalCode !== null) return
    running.child.kill(signal)
    await once(running.child, 'exit')
  }
  return {
    get url() {
      return `nats://127.0.0.1:${running.port}`
    },
    get port() {
      return running.port
    },
    kill: (signal) => void running.child.kill(signal),
    stop,
    restart: async () => {
      running = await launch(folder, [file, address, running.port])
    },
    [Symbol.asyncDispose]: async () => {
      await stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

interface Launched {
  child: ChildProcess
  port: number
}

async function launch(
  folder: string,
  [file, address, port]: readonly [string, string, number],
): Promise<Launched> {
  const args = ['-c', file, '-a', address, '-p', String(port)]
  const child = spawn(executable ?? 'nats-server', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  await new Promise<void>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text
      if (log.includes('Server is ready')) resolve()
    })
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`nats-server ended with ${code}: ${log}`)))
  })
  const [, told] = /Listening for client connections on \S+:(\d+)/.exec(log) ?? []
  return { child, port: Number(told) }
}
