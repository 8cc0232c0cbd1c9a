import { setTimeout as delay } from 'node:timers/promises'
import { drainOver } from './admin.js'
import type { Beat } from './beat.js'
import { nodeNotThere } from './errors.js'
import { type CableOptions, NatsCable } from './nats-cable.js'
import { checkedName } from './subjects.js'

/** How long nodes have to answer, in ms: after the last answer, and altogether. */
const answerMs = { silence: 300, all: 1500 } as const

/**
 * The nodes of a cluster, by their names.
 *
 * @throws As `NatsCable.connect` does.
 */
export async function listNodes(options: CableOptions): Promise<Beat[]> {
  await using cable = await NatsCable.connect(options)
  return nodesOver(cable)
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
  const run = (await nodesOver(cable)).find((beat) => beat.node === node)
  if (!run) throw nodeNotThere(node)
  await drainOver(cable, run)
}

/** Those that answer, ordered by name. */
async function nodesOver(cable: NatsCable): Promise<Beat[]> {
  const found = new Map<string, Beat>()
  let heardAt = performance.now()
  const endBeats = cable.onBeat((beat) => {
    const before = found.get(beat.node)
    if (before && before.boot === beat.boot && before.sequence > beat.sequence) return
    if (!before) heardAt = performance.now()
    if (beat.leaving) found.delete(beat.node)
    else found.set(beat.node, beat)
  })
  cable.who()
  const begun = performance.now()
  while (performance.now() - heardAt < answerMs.silence && performance.now() - begun < answerMs.all)
    await delay(20)
  endBeats()
  return [...found.values()].sort((one, other) => (one.node < other.node ? -1 : 1))
}
