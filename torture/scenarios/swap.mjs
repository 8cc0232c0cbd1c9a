import { PluginHost } from '@appfactory/host'
import { percentile } from '../../scripts/lib/statistics.mjs'
import { Load } from '../load.mjs'
import { milliseconds } from '../milliseconds.mjs'
import { writePlugins } from '../plugins.mjs'

export const description = 'swaps under load, between plugins with state and between plugins without'

export async function run({ swaps, callers, random, invariants }) {
  await stateful({ swaps, callers, random, invariants })
  await stateless({ swaps, callers, random, invariants })
}

async function stateful({ swaps, callers, random, invariants }) {
  const { root, remove } = writePlugins(['stateful1', 'stateful2'])
  const host = new PluginHost({ pluginsDir: root })
  try {
    const plugin = await host.load('stateful1')
    const load = new Load(plugin, callers, random, (chances) => chances.whole(0, 40))
    await load.settle(500)
    for (let index = 0; index < swaps; index++) {
      const [from, to] = index % 2 === 0 ? ['stateful1', 'stateful2'] : ['stateful2', 'stateful1']
      const { statePreserved } = await host.swap(from, to)
      invariants.check(statePreserved, `swap ${index}: the state was not carried over`)
      await load.settle(50)
    }
    const lost = await load.end()
    const numbers = load.calls.map(({ number }) => number).sort((a, b) => a - b)
    const slowest = Math.max(...load.calls.map(({ worked }) => worked))
    const longest = Math.max(...load.calls.map(({ took, worked }) => took - worked))
    console.log(`with state: ${swaps} swaps, ${callers} callers, ${load.begun} calls`)
    console.log(`  lost ${lost}, failed ${load.failed.length}, foreign answers ${load.foreign}`)
    console.log(`  longest wait ${milliseconds(longest)}; slowest call in flight ${milliseconds(slowest)}`)
    invariants.check(lost === 0, `${lost} calls were lost`)
    invariants.check(load.failed.length === 0, `${load.failed.length} calls failed: ${load.failed[0]}`)
    invariants.check(
      load.begun === load.calls.length + load.failed.length + lost,
      `of ${load.begun} calls, ${load.calls.length} were answered`,
    )
    invariants.check(load.foreign === 0, `${load.foreign} answers of another call`)
    invariants.check(
      numbers.every((number, index) => number === index + 1),
      'the state counts calls twice, or not at all',
    )
    invariants.target(
      longest <= slowest + 150,
      `a call waited ${longest} ms; the slowest call in flight took ${slowest} ms`,
    )
  } finally {
    await host.close()
    remove()
  }
}

async function stateless({ swaps, callers, random, invariants }) {
  const { root, remove } = writePlugins(['one', 'two'])
  const host = new PluginHost({ pluginsDir: root })
  try {
    const plugin = await host.load('one')
    const load = new Load(plugin, callers, random, () => 2)
    await load.settle(1000)
    load.calls.length = 0
    load.begun = load.open
    await load.settle(3000)
    const before = percentile(
      load.calls.map(({ took }) => took),
      0.99,
    )
    const from = load.calls.length
    for (let index = 0; index < swaps; index++) {
      await host.swap(...(index % 2 === 0 ? ['one', 'two'] : ['two', 'one']))
      await load.settle(50)
    }
    const lost = await load.end()
    const during = load.calls.slice(from).map(({ took }) => took)
    const longest = Math.max(...during)
    console.log(`without state: ${swaps} swaps, ${callers} callers, ${load.begun} calls`)
    console.log(`  lost ${lost}, failed ${load.failed.length}, foreign answers ${load.foreign}`)
    console.log(
      `  p99 without swaps ${milliseconds(before)}; with swaps ${milliseconds(percentile(during, 0.99))}, longest ${milliseconds(longest)} (${(longest / before).toFixed(2)} x)`,
    )
    invariants.check(lost === 0, `${lost} calls were lost`)
    invariants.check(load.failed.length === 0, `${load.failed.length} calls failed: ${load.failed[0]}`)
    invariants.check(
      load.begun === load.calls.length + load.failed.length + lost,
      `of ${load.begun} calls, ${load.calls.length} were answered`,
    )
    invariants.target(
      longest <= 3 * before,
      `a call waited ${(longest / before).toFixed(2)} x the p99 without swaps, not 3 x`,
    )
    invariants.check(load.foreign === 0, `${load.foreign} answers of another call`)
  } finally {
    await host.close()
    remove()
  }
}
