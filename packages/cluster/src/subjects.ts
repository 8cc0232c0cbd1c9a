import { quoted } from '@appfactory/sdk/internal'

/** Names of namespaces, nodes and callers: each is one token of a subject, and nothing that NATS gives a meaning to. */
const name = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/

/**
 * Checks the name of a namespace, a node or a caller.
 *
 * @throws TypeError that says what a name may be.
 */
export function checkedName(what: 'namespace' | 'node' | 'caller', value: string): string {
  if (typeof value === 'string' && name.test(value)) return value
  throw new TypeError(
    `${what}: ${quoted(String(value))} is no name; it takes 1 to 63 letters, digits, - and _, and begins with a letter or a digit`,
  )
}

/** Whether it can be the name of a namespace, a node or a caller. */
export function isName(value: string): boolean {
  return name.test(value)
}

/** The subjects of a namespace. Each right that a user of NATS has is a pattern over them. */
export interface Subjects {
  /** Where a node tells how it is. */
  beat(node: string): string
  /** Where callers ask all nodes for a beat. */
  readonly who: string
  /** Where a node asks whether another one has its name. */
  whoIs(node: string): string
  /** Where callers open a link to a plugin on a node. */
  dial(plugin: string, node: string): string
  /** Where administrators open a link to a node. */
  admin(node: string): string
  /** Where frames of a link go to a node. `link` is two tokens: that of the caller's process, and its own. */
  to(node: string, caller: string, link: string): string
  /** Where frames of a link go to a caller. */
  back(caller: string, link: string): string
  /** Where nodes hear that what is wanted has changed. */
  readonly desired: string
  /** Where NATS itself answers a node, or an administrator. */
  inbox(name: string): string
  /** Where what is wanted is kept: the name of a bucket of JetStream. */
  readonly bucket: string
}

/** @throws TypeError for a namespace that is no name. */
export function subjectsOf(namespace: string): Subjects {
  const prefix = `af.${checkedName('namespace', namespace)}`
  return {
    beat: (node) => `${prefix}.beat.${node}`,
    who: `${prefix}.who`,
    whoIs: (node) => `${prefix}.who.${node}`,
    dial: (plugin, node) => `${prefix}.dial.${plugin}.${node}`,
    admin: (node) => `${prefix}.admin.${node}`,
    to: (node, caller, link) => `${prefix}.to.${node}.${caller}.${link}`,
    back: (caller, link) => `${prefix}.back.${caller}.${link}`,
    desired: `${prefix}.desired`,
    inbox: (name) => `${prefix}.inbox.${name}`,
    bucket: `AF_${namespace}`,
  }
}
