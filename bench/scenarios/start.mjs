import { median } from '../../scripts/lib/statistics.mjs'
import { start as project } from '../contenders/appfactory.mjs'
import { start as bare } from '../contenders/bare.mjs'
import { peers } from '../contenders/index.mjs'
import { elapsedMs } from '../measure.mjs'
import { mapValues } from '../ratios.mjs'
import { stopAll } from '../rounds.mjs'

const startsPerRound = 3

/** From the start of a process to its first answer; the project's plugin is READY then. */
export const start = {
  name: 'start',
  title: 'spawn to ready',
  unit: 'ms',
  base: 'bare Node',
  targets: [
    { of: 'project', against: 'bare Node', atMost: 1.4 },
    { of: 'project', against: 'MCP SDK', under: 1 },
  ],
  open: async () => {
    const { host, stop } = await project()
    await host.unload('echo_llm')
    const load = async () => ({ stop: () => host.unload('echo_llm'), llm: await host.load('echo_llm') })
    // MCP has had its first answer once it is connected.
    const answered = mapValues(peers, (begin, name) => (name === 'MCP SDK' ? begin : () => withAnswer(begin)))
    const starts = { 'bare Node': bare, project: load, ...answered }
    return {
      measures: mapValues(starts, (begin) => () => medianStart(begin)),
      close: () => stopAll({ project: { stop } }),
    }
  },
}

async function withAnswer(begin) {
  const contender = await begin()
  await contender.call('hello')
  return contender
}

export async function medianStart(begin) {
  const times = []
  while (times.length < startsPerRound) {
    let contender
    times.push(
      await elapsedMs(async () => {
        contender = await begin()
      }),
    )
    await stopAll({ contender })
  }
  return median(times)
}
