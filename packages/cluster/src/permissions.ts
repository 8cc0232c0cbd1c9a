import { checkedName, type Subjects, subjectsOf } from './subjects.js'

/** What a user of NATS may publish and subscribe. */
export interface Permissions {
  publish: string[]
  subscribe: string[]
  /** Whether it may answer what it is asked, wherever the answer goes. */
  answers: boolean
}

/** Of a node: it can be heard and asked by its own name only. */
export function nodePermissions(namespace: string, node: string): Permissions {
  const subjects = subjectsOf(namespace)
  const name = checkedName('node', node)
  return {
    publish: [
      ...[subjects.beat(name), subjects.who, subjects.whoIs(name), subjects.back('*', '>')],
      ...[...storeReads(subjects), `$KV.${subjects.bucket}.leases.*`],
    ],
    subscribe: [
      ...[subjects.beat('*'), subjects.desired, `${subjects.inbox(name)}.>`],
      ...[subjects.who, subjects.whoIs(name)],
      ...[subjects.dial('*', name), subjects.admin(name), subjects.to(name, '*', '>')],
      ...['PING', 'INFO', 'STATS'].flatMap((question) => [`$SRV.${question}`, `$SRV.${question}.>`]),
    ],
    answers: true,
  }
}

/** Of a caller: it reads only what is sent to it. */
export function callerPermissions(
  namespace: string,
  caller: string,
  plugins: readonly string[] = ['*'],
): Permissions {
  const subjects = subjectsOf(namespace)
  const name = checkedName('caller', caller)
  return {
    publish: [
      ...[subjects.who, subjects.to('*', name, '>')],
      ...plugins.map((plugin) => subjects.dial(plugin, '*')),
    ],
    subscribe: [subjects.beat('*'), subjects.back(name, '>')],
    answers: false,
  }
}

/** Of an administrator: a caller that may also load, swap and unload plugins of every node, and say what is to run anywhere. */
export function adminPermissions(namespace: string, admin: string): Permissions {
  const subjects = subjectsOf(namespace)
  const { publish, subscribe, answers } = callerPermissions(namespace, admin)
  return {
    publish: [
      ...[...publish, subjects.admin('*'), subjects.desired, ...storeReads(subjects)],
      ...[`$JS.API.STREAM.CREATE.KV_${subjects.bucket}`, `$KV.${subjects.bucket}.plugins.*`, '$JS.API.INFO'],
    ],
    subscribe: [...subscribe, `${subjects.inbox(admin)}.>`],
    answers,
  }
}

/** To read what is wanted. Nobody may have it delivered: JetStream would deliver it to any subject. */
function storeReads({ bucket }: Subjects): string[] {
  return [
    `$JS.API.STREAM.INFO.KV_${bucket}`,
    `$JS.API.DIRECT.GET.KV_${bucket}`,
    `$JS.API.DIRECT.GET.KV_${bucket}.$KV.${bucket}.>`,
  ]
}
