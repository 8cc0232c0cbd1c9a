import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCodeOf } from '@appfactory/sdk/internal'
import { asUsage, loadCluster } from './cluster.js'
import { exitCodes, print, type Streams } from './output.js'
import { UsageError } from './usage-error.js'
import { namesIn } from './words.js'

interface NatsConfigCommand {
  namespace: string | undefined
  nodes: string[] | undefined
  callers: string[] | undefined
  admins: string[] | undefined
  out: string
  port: number
  host: string
  tlsCert: string | undefined
  tlsKey: string | undefined
  force: boolean
}

/** `appfactory-host nats-config`: writes what a NATS server needs, and what each member of the cluster proves itself with. */
export async function natsConfig(streams: Streams, options: NatsConfigCommand): Promise<number> {
  const { namespace, out, port, host: address, tlsCert, tlsKey, force } = options
  if (namespace === undefined) throw new UsageError('--namespace NAME is needed')
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new UsageError('--tls-cert and --tls-key go together')
  const tls = tlsCert === undefined ? {} : { tls: { certFile: tlsCert, keyFile: tlsKey } }
  const cluster = await loadCluster()
  const [nodes, callers, admins] = [options.nodes, options.callers, options.admins].map(
    (given) => namesIn(given) ?? [],
  )
  const files = await Promise.resolve({ namespace, nodes, callers, admins, port, address, ...tls })
    .then(cluster.natsConfig)
    .catch(asUsage)
  // All or nothing: a new configuration knows none of the old secrets.
  const there = files.map(({ name }) => join(out, name)).find((path) => existsSync(path))
  if (there !== undefined && !force) throw isThere(there)
  await mkdir(out, { recursive: true, mode: 0o700 })
  for (const { name, text, isSecret } of files) await write(join(out, name), text, isSecret, force)
  print(streams, files.map(({ name }) => join(out, name)).join('\n'))
  print(streams, `Start the server: nats-server -c ${join(out, 'nats-server.conf')}`)
  return exitCodes.done
}

async function write(path: string, text: string, isSecret: boolean, force: boolean): Promise<void> {
  try {
    await writeFile(path, text, { flag: force ? 'w' : 'wx', mode: isSecret ? 0o600 : 0o644 })
  } catch (error) {
    if (systemCodeOf(error) !== 'EEXIST') throw error
    throw isThere(path)
  }
}

function isThere(path: string): UsageError {
  return new UsageError(
    `${path} is there already: those who have it would be shut out. Replace all with --force, or write to another folder with --out`,
  )
}
