/** A plugin that is to run. */
export interface Wanted {
  name: string
  /** Processes on all nodes together. */
  replicas: number
}

/** A node that takes what is wanted. */
export interface PlacementNode {
  node: string
  /** How many processes it may have of all that is wanted. */
  room: number
  /** Whether it has been there for a while: it takes over from others then, and not only what nobody else can. */
  isSettled: boolean
  /** Whether it could run that plugin. */
  fits(plugin: string): boolean
  /** Processes of the plugin that serve there. */
  running(plugin: string): number
  /** The number of the lease that it has for the plugin, where it is of the kind that only one node may run. */
  lease(plugin: string): number | undefined
}

/** How many processes each node is to have, by plugin and node. */
export type Plan = ReadonlyMap<string, ReadonlyMap<string, number>>

/** The most processes that one node has of one plugin. */
const mostOnOneNode = 64

/**
 * Who runs how many of what. Nodes that know the same come to the same plan, without asking each other: each plugin has an order
 * of all nodes by weights that come from the names alone, and is dealt out in that order. So a node that comes or goes moves
 * no more than its own share.
 */
export function planOf(wanted: readonly Wanted[], nodes: readonly PlacementNode[]): Plan {
  const byName = [...wanted].sort((one, other) => (one.name < other.name ? -1 : 1))
  // What runs keeps its room: nobody is turned out for others.
  const taken = new Map(
    nodes.map((each) => [each.node, byName.reduce((sum, { name }) => sum + each.running(name), 0)]),
  )
  const plan = new Map<string, Map<string, number>>()
  for (const { name, replicas } of byName) {
    const takenOn = (each: PlacementNode): number => (taken.get(each.node) ?? 0) - each.running(name)
    const shares = sharesOf(name, replicas, nodes, (each) =>
      Math.min(each.room - takenOn(each), mostOnOneNode),
    )
    for (const each of nodes)
      taken.set(each.node, takenOn(each) + Math.max(each.running(name), shares.get(each.node) ?? 0))
    plan.set(name, shares)
  }
  return plan
}

function sharesOf(
  plugin: string,
  replicas: number,
  nodes: readonly PlacementNode[],
  roomOf: (node: PlacementNode) => number,
): Map<string, number> {
  const able = nodes.filter((node) => node.fits(plugin) && roomOf(node) > 0)
  // It has state: where it runs, it stays.
  const holder = holderOf(plugin, able)
  if (holder) return new Map([[holder.node, 1]])
  const steady = able.filter((node) => node.isSettled || node.running(plugin) > 0)
  const isShort = sumOf(able, (node) => node.running(plugin)) < replicas
  // Who has just come gets what is short, and nothing that runs elsewhere.
  const taking = isShort || sumOf(steady, roomOf) < replicas ? able : steady
  return dealt(replicas, ranked(plugin, taking), roomOf)
}

/** The node that has the newest lease. */
function holderOf(plugin: string, nodes: readonly PlacementNode[]): PlacementNode | undefined {
  let newest: PlacementNode | undefined
  for (const node of nodes) if ((node.lease(plugin) ?? -1) > (newest?.lease(plugin) ?? -1)) newest = node
  return newest
}

/** Each gets one in its turn, until all are dealt or nobody has room. */
function dealt(
  replicas: number,
  nodes: readonly PlacementNode[],
  roomOf: (node: PlacementNode) => number,
): Map<string, number> {
  const shares = new Map<string, number>()
  let left = replicas
  for (let turn = 1; left > 0 && nodes.some((node) => roomOf(node) >= turn); turn++)
    for (const node of nodes) {
      if (left === 0 || roomOf(node) < turn) continue
      shares.set(node.node, turn)
      left -= 1
    }
  return shares
}

function ranked(plugin: string, nodes: readonly PlacementNode[]): PlacementNode[] {
  return nodes
    .map((node) => ({ node, weight: weightOf(`${plugin}\n${node.node}`) }))
    .sort((one, other) => other.weight - one.weight || (one.node.node < other.node.node ? -1 : 1))
    .map(({ node }) => node)
}

/** A number that looks as if by chance, and is the same for the same text everywhere (FNV-1a, mixed as Murmur does). */
function weightOf(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function sumOf(nodes: readonly PlacementNode[], numberOf: (node: PlacementNode) => number): number {
  return nodes.reduce((sum, node) => sum + numberOf(node), 0)
}
