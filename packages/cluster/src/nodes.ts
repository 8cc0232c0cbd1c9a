import { waitUntil } from '@appfactory/host/internal'
import { drainOver } from './admin.js'
import type { Beat } from './beat.js'
import { nodeNotThere } from './errors.js'
import { type CableOptions, NatsCable } from './nats-cable.js'
import { checkedName } from './subjects.js'

/** How long nodes have to tell that they are there, in ms. Each does so within a second, also one that is too busy to answer. */
const answerMs = 1500

/**
 * The nodes of a cluster, by their names.
 *
 * @throws As `NatsCable.connect` does.
 */
export async function listNodes(options: CableOptions): Promise<Beat[]> {
  await using cable = await NatsCable.connect(options)
  // The connection is closed where this ends.
  return await nodesOver(cable)
}

/**
 * Lets a node finish its calls and end. Resolves when it has left.
 *
 * @throws PluginError PLUGIN_NOT_READY where it is not there; CALL_FORBIDDEN without the rights of an administrator; PLUGIN_CRASHED
 *   where it was lost meanwhile. TypeError for what is no name.
 */
export async function drainNode(node: string, options: CableOptions): Promise<void> {
  checkedName('node', node)
  await using cable = await NatsCable.connect(options)
  const run = (await nodesOver(cable, node)).find((beat) => beat.node === node)
  if (!run) throw nodeNotThere(node)
  await drainOver(cable, run)
}

/** Those that are there, ordered by name. With a name, that one is enough. */
async function nodesOver(cable: NatsCable, name?: string): Promise<Beat[]> {
  const found = new Map<string, Beat>()
  const endBeats = cable.onBeat((beat) => {
    const before = found.get(beat.node)
    if (before && before.boot === beat.boot && before.sequence > beat.sequence) return
    if (beat.leaving) found.delete(beat.node)
    else found.set(beat.node, beat)
  })
  cable.who()
  await waitUntil(() => name !== undefined && found.has(name), answerMs)
  endBeats()
  return [...found.values()].sort((one, other) => (one.node < other.node ? -1 : 1))
}
