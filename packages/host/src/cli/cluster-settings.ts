import { flag, isEach, isText, list, numbers, type SettingRow, settingsOf, text } from './setting-rows.js'

/** What any command takes that reaches a cluster. */
const reachRows: Readonly<Record<string, SettingRow>> = {
  nats: {
    ...list,
    describe: 'NATS server of a cluster: nats://127.0.0.1:4222, tls://nats.example:4222 (repeatable)',
  },
  namespace: { ...text, describe: 'Namespace of the cluster: its nodes and callers see nobody else' },
  creds: {
    ...text,
    isPath: true,
    describe: 'FILE that NATS knows this process by: .creds, the seed of an nkey, or user:password',
  },
  caller: { ...text, describe: 'Name of this caller [default: the one in the file of --creds]' },
  natsCa: { ...text, isPath: true, describe: 'FILE of authorities in PEM, for tls://' },
  natsCert: { ...text, isPath: true, describe: 'FILE of a certificate in PEM, where NATS asks for one' },
  natsKey: { ...text, isPath: true, describe: 'FILE of the certificate’s key in PEM' },
  insecure: { ...flag, describe: 'Allow nats:// to other machines: all calls go in clear text' },
}

/** What only a node takes. */
const nodeRows: Readonly<Record<string, SettingRow>> = {
  node: { ...text, describe: 'Serve the plugins to a cluster, as the node of this NAME' },
  labels: {
    kind: 'map',
    flag: 'label',
    describe: 'What the node has: KEY=VALUE, such as gpu=true (repeatable)',
    takes: 'KEY=VALUE; in a file, an object of these',
    fits: isEach(isText),
  },
  desired: {
    ...flag,
    describe: 'Take part in what is loaded for the whole cluster, and not only in what the node is told to',
  },
  nodeLimits: {
    ...numbers,
    flag: 'node-limit',
    describe: 'Limit of the node: NAME=NUMBER, such as maxLinksPerCaller=256 (repeatable)',
  },
}

/** How a command reaches a cluster: keys of `cluster` in the file. */
export const reachSettings = settingsOf('cluster', reachRows)

/** What only a node takes: keys of `cluster` in the file. */
export const nodeSettings = settingsOf('cluster', nodeRows)

/** What `serve` takes to be a node. */
export const clusterSettings = [...reachSettings, ...nodeSettings]
