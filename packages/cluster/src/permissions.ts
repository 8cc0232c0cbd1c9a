import { checkedName, subjectsOf } from './subjects.js'

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
    publish: [subjects.beat(name), subjects.whoIs(name), subjects.back('*', '>')],
    subscribe: [
      ...[subjects.who, subjects.whoIs(name), subjects.beat(name)],
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

/** Of an administrator: a caller that may also load, swap and unload plugins of every node. */
export function adminPermissions(namespace: string, admin: string): Permissions {
  const { publish, ...rest } = callerPermissions(namespace, admin)
  return { ...rest, publish: [...publish, subjectsOf(namespace).admin('*')] }
}
