import { listed } from '@appfactory/sdk/internal'
import type { Beat, DesiredOnNode } from '../beat.js'
import { desiredOn } from '../directory.js'

/** What a node makes of a plugin that is wanted. */
export interface DesiredNode {
  readonly node: string
  /** Processes that serve there. */
  readonly running: number
  /** Why it has none, or fewer than it could. */
  readonly why?: string
}

/** A plugin that is to run, on any of several nodes, and what came of it. */
export interface DesiredPlugin {
  readonly name: string
  /** Rises with each change. */
  readonly generation: number
  /** Processes that all nodes together are to have. */
  readonly wanted: number
  /** Processes that serve. */
  readonly running: number
  /** Why fewer run than are wanted, or not as they are wanted. Absent: all do. */
  readonly why?: string
  /** Nodes that take part, by name. */
  readonly nodes: readonly DesiredNode[]
}

/** What is wanted of a whole cluster, and what came of it, by what its nodes tell (`listNodes`). Ordered by name. */
export function desiredPlugins(beats: readonly Beat[]): DesiredPlugin[] {
  const names = new Set(beats.flatMap(({ desired }) => desired?.plugins.map(({ name }) => name) ?? []))
  return [...names].sort().map((name) => desiredPlugin(name, beats))
}

function desiredPlugin(name: string, beats: readonly Beat[]): DesiredPlugin {
  const told = toldBy(name, beats)
  const [newest] = [...told].sort(([, one], [, other]) => other.generation - one.generation)
  const { generation = 0, wanted = 0 } = newest?.[1] ?? {}
  const running = told.reduce((sum, [, { running: here }]) => sum + here, 0)
  const reasonsOf = (some: typeof told): string =>
    some.flatMap(([node, { why }]) => (why === undefined ? [] : `${node}: ${why}`)).join('; ')
  // A node that has none does not matter while all run.
  const why =
    running < wanted
      ? reasonsOf(told) || whyNot(beats)
      : reasonsOf(told.filter(([, { current }]) => !current))
  return {
    ...{ name, generation, wanted, running },
    ...(why === '' ? {} : { why }),
    nodes: told.map(([node, { running: here, why }]) => ({
      ...{ node, running: here },
      ...(why === undefined ? {} : { why }),
    })),
  }
}

/** Nodes that know of a plugin that is wanted, by name, and what each makes of it. */
export function toldBy(name: string, beats: readonly Beat[]): [node: string, told: DesiredOnNode][] {
  return [...beats]
    .sort((one, other) => (one.node < other.node ? -1 : 1))
    .flatMap((beat): [string, DesiredOnNode][] => {
      const told = desiredOn(beat, name)
      return told ? [[beat.node, told]] : []
    })
}

function whyNot(beats: readonly Beat[]): string {
  const nodes = beats.filter(({ desired }) => desired).map(({ node }) => node)
  return nodes.length > 0 ? `${listed(nodes)} will start it` : 'no node takes part'
}
