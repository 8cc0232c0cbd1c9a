import { nkeys } from '@nats-io/transport-node'
import { seedFile } from './credentials.js'
import { adminPermissions, callerPermissions, nodePermissions, type Permissions } from './permissions.js'
import { checkedName } from './subjects.js'

/** Who is to be in a cluster. */
export interface NatsConfigOptions {
  namespace: string
  nodes: readonly string[]
  /** May call all plugins, and do nothing else. */
  callers?: readonly string[] | undefined
  /** May also load, swap and unload plugins. */
  admins?: readonly string[] | undefined
  /** Port of the server. Default: 4222. */
  port?: number | undefined
  /** Address of the server. Default: 127.0.0.1. On any other, `tls` is needed. */
  address?: string | undefined
  /** Files in PEM, as the server finds them. */
  tls?: { certFile: string; keyFile: string } | undefined
}

/** A file to write. */
export interface ConfigFile {
  name: string
  text: string
  /** Whether it is for its owner alone. */
  isSecret: boolean
}

/**
 * Makes the configuration of a NATS server with a user for each node, caller and administrator, who may do what they need and
 * nothing else; and for each of them a file with the seed of its nkey, for `creds`. The server knows only the public keys.
 *
 * @throws TypeError for names that are none or stand twice, and for an address that others reach without TLS.
 */
export function natsConfig(options: NatsConfigOptions): ConfigFile[] {
  const { namespace, nodes, callers = [], admins = [], port = 4222, address = '127.0.0.1', tls } = options
  const users = [
    ...nodes.map((node) => user(checkedName('node', node), nodePermissions(namespace, node))),
    ...callers.map((caller) => user(checkedName('caller', caller), callerPermissions(namespace, caller))),
    ...admins.map((admin) => user(checkedName('caller', admin), adminPermissions(namespace, admin))),
  ]
  checkNames(users.map(({ name }) => name))
  if (!/^(127\.|::1$|localhost$)/.test(address) && !tls)
    throw new TypeError(
      `address: others reach ${address}, and all calls would go to it in clear text. Give tls-cert and tls-key, or leave the address out`,
    )
  const blocks = users.map(({ name, publicKey, permissions }) => userBlock(name, publicKey, permissions))
  const text = `# Of \`appfactory-host nats-config\`: the NATS server of the namespace "${namespace}".
# Start it with: nats-server -c nats-server.conf
listen: ${JSON.stringify(`${address.includes(':') ? `[${address}]` : address}:${port}`)}
${tls ? `\ntls {\n  cert_file: ${JSON.stringify(tls.certFile)}\n  key_file: ${JSON.stringify(tls.keyFile)}\n}\n` : ''}
authorization {
  users: [
${blocks.join('\n')}
  ]
}
`
  return [
    { name: 'nats-server.conf', text, isSecret: false },
    ...users.map(({ name, seed }) => ({ name: `${name}.nkey`, text: seedFile(name, seed), isSecret: true })),
  ]
}

function user(name: string, permissions: Permissions) {
  const pair = nkeys.createUser()
  const seed = Buffer.from(pair.getSeed()).toString()
  return { name, permissions, publicKey: pair.getPublicKey(), seed }
}

/** @throws TypeError */
function checkNames(names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined)
    throw new TypeError(
      `"${twice}" is named twice: each node, caller and administrator has a name of its own`,
    )
  if (names.length === 0) throw new TypeError('nodes: name at least one')
}

function userBlock(name: string, publicKey: string, { publish, subscribe, answers }: Permissions): string {
  return `    # ${name}
    {
      nkey: ${publicKey}
      permissions: {
        publish: ${JSON.stringify(publish)}
        subscribe: ${JSON.stringify(subscribe)}${answers ? '\n        allow_responses: true' : ''}
      }
    }`
}
