import { PluginHost } from '@appfactory/host'
import { percentile } from '../../scripts/lib/statistics.mjs'
import { Load } from '../load.mjs'
import { milliseconds } from '../milliseconds.mjs'
import { writePlugins } from '../plugins.mjs'

export const description = 'one plugin in an endless loop, and how long the calls of another one take'

export async function run({ seconds, random, invariants }) {
  const { root, remove } = writePlugins(['looping', 'other'])
  const host = new PluginHost({ pluginsDir: root, unresponsiveTimeoutMs: (seconds * 1000) / 3 })
  try {
    const looping = await host.load('looping')
    const load = new Load(await host.load('other'), 4, random, () => 2)
    await load.settle(1000)
    load.calls.length = 0
    await load.settle((seconds * 1000) / 3)
    const before = percentile(
      load.calls.map(({ took }) => took),
      0.99,
    )
    load.calls.length = 0
    const begun = performance.now()
    const { codeName } = await looping
      .complete(JSON.stringify({ token: 'x', fault: 'loop' }))
      .catch((error) => error)
    const noticed = performance.now() - begun
    const during = percentile(
      load.calls.map(({ took }) => took),
      0.99,
    )
    const lost = await load.end()
    console.log(`the loop was noticed after ${milliseconds(noticed)}`)
    console.log(
      `  p99 of the other plugin: ${milliseconds(before)} before, ${milliseconds(during)} during (${(during / before).toFixed(2)} x)`,
    )
    invariants.check(codeName === 'PLUGIN_CRASHED', `the call in the loop ended with ${codeName}`)
    invariants.check(lost === 0, `${lost} calls of the other plugin were lost`)
    invariants.check(load.foreign === 0, `${load.foreign} answers of another call`)
    invariants.target(
      during <= 1.5 * before,
      `the p99 of the other plugin is ${(during / before).toFixed(2)} x, not 1.5 x`,
    )
    invariants.check(load.failed.length === 0, `calls of the other plugin failed: ${load.failed[0]}`)
  } finally {
    await host.close()
    remove()
  }
}
