import { fileURLToPath } from 'node:url'
import { LinesProcess } from '../../sdk/test/lines-process.js'
import type { AtEnd } from '../../sdk/test/temp-dir.js'

export const command = fileURLToPath(new URL('../../host/bin/appfactory-host.js', import.meta.url))

interface NodeProcessOptions {
  /** Its working directory, with a folder `plugins`. */
  cwd: string
  nats: string
  node: string
  args?: readonly string[]
  env?: NodeJS.ProcessEnv
  /** The command that runs it. */
  through?: readonly string[]
  atEnd?: AtEnd
}

/** A real `appfactory-host serve --nats`, in the namespace `test`. Resolves when it takes calls. */
export async function startNode({
  cwd,
  nats,
  node,
  args = [],
  env = process.env,
  through = [],
  atEnd,
}: NodeProcessOptions): Promise<LinesProcess> {
  const reach = ['--nats', nats, '--namespace', 'test', '--node', node]
  const options = { cwd, env, through, ...(atEnd ? { atEnd } : {}) }
  const started = new LinesProcess(command, ['serve', '--log-dir', '-', ...reach, ...args], options)
  await firstLine(started)
  if (started.garbage[0] === `Node ${node}: ready`) return started
  throw new Error(`Node ${node} has not come up: ${started.stderr}`)
}

/** Resolves when it has written a line, or has ended. Then `stderr` says why. */
export function firstLine({ garbage, child, exited }: LinesProcess): Promise<unknown> {
  const written = new Promise<void>((resolve) => {
    child.stdout.on('data', () => {
      if (garbage.length > 0) resolve()
    })
  })
  return Promise.race([written, exited])
}
