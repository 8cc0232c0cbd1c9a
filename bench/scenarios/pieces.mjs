import { start as project } from '../contenders/appfactory.mjs'
import { start as command } from '../contenders/command.mjs'
import { start as limit, startTwoHops } from '../contenders/limit.mjs'
import { start as plugin } from '../contenders/plugin.mjs'
import { elapsedMs } from '../measure.mjs'
import { startAll, stopAll } from '../rounds.mjs'

const count = 20_000
const credit = 64

/** A stream of short texts, as a language model writes: over one pipe, and through the host. */
export const pieces = {
  name: 'pieces',
  title: 'streamed pieces of text',
  unit: 'pieces/s',
  base: 'limit',
  targets: [
    { of: 'plugin, no credit', against: 'limit', atLeast: 0.6 },
    { of: 'plugin, credit 64', against: 'plugin, no credit', atLeast: 0.8 },
    { of: 'appfactory-host, no credit', against: 'limit', atLeast: 0.6 },
    { of: 'appfactory-host, no credit', against: 'limit, two hops', atLeast: 0.6 },
    { of: 'appfactory-host, credit 64', against: 'appfactory-host, no credit', atLeast: 0.8 },
  ],
  open: async () => {
    const started = await startAll({ limit, twoHops: startTwoHops, plugin, command, project })
    const measured = (read) => () => piecesPerSecond(count, read)
    return {
      measures: {
        limit: measured(() => started.limit.pieces(count)),
        'plugin, no credit': measured(() => started.plugin.pieces(count)),
        'plugin, credit 64': measured(() => started.plugin.pieces(count, credit)),
        'PluginHost, its own credit': measured(() => readAll(started.project.pieces(count))),
        'limit, two hops': measured(() => started.twoHops.pieces(count)),
        'appfactory-host, no credit': measured(() => started.command.pieces(count)),
        'appfactory-host, credit 64': measured(() => started.command.pieces(count, credit)),
      },
      close: () => stopAll(started),
    }
  },
}

/** Reads a stream that has `count` pieces. */
export async function piecesPerSecond(count, read) {
  let got
  const ms = await elapsedMs(async () => {
    got = await read()
  })
  if (got !== count) throw new Error(`${got} pieces arrived, not ${count}`)
  return count / (ms / 1000)
}

async function readAll(stream) {
  let got = 0
  for await (const _ of stream) got += 1
  return got
}
