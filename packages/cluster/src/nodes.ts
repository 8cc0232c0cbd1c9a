import { setTimeout as delay } from 'node:timers/promises'
import { drainOver } from './admin.js'
import type { Beat } from './beat.js'
import { type CableOptions, NatsCable } from './nats-cable.js'

/** How long nodes have to answer, in ms: after the last answer, and altogether. */
const answerMs = { silence: 300, all: 1500 } as const

/**
 * The nodes of a cluster, by their names.
 *
 * @throws As `NatsCable.connect` does.
 */
export async function listNodes(options: CableOptions): Promise<Beat[]> {
  await using cable = await NatsCable.connect(options)
  const found = new Map<string, Beat>()
  let heardAt = performance.now()
  cable.onBeat((beat) => {
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
  return [...found.values()].sort((one, other) => (one.node < other.node ? -1 : 1))
}

/**
 * Lets a node finish its calls and end. Resolves when it has left.
 *
 * @throws PluginError PLUGIN_NOT_READY where it is not there; CALL_FORBIDDEN without the rights of an administrator.
 */
export async function drainNode(node: string, options: CableOptions): Promise<void> {
  await using cable = await NatsCable.connect(options)
  await drainOver(cable, node)
}
