import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { PluginHost } from '@appfactory/host'
import { percentile } from '../../scripts/lib/statistics.mjs'
import { settles } from '../deadline.mjs'
import { heapAfterCollection } from '../memory.mjs'
import { milliseconds } from '../milliseconds.mjs'
import { writePlugins } from '../plugins.mjs'
import { leftIn } from '../processes.mjs'

export const description = 'SIGKILLs of a plugin with calls in flight'

/** When a call that has no answer counts as lost, in ms. */
const lostMs = 10_000

/** The longest that a call may wait for its answer once its plugin is dead, in ms. */
const limitMs = 50

export async function run({ times = 100, callers, invariants }) {
  const { root, remove } = writePlugins(['one'])
  const host = new PluginHost({
    pluginsDir: root,
    restart: { firstDelayMs: 1, maxDelayMs: 1, maxCrashes: Number.POSITIVE_INFINITY },
  })
  const plugin = await host.load('one')
  const watch = new Worker(new URL('../exit-watch.mjs', import.meta.url))
  // Taken beforehand: what the scenario keeps is not the host's memory.
  const waits = new Float64Array(times)
  let calls = 0
  let answered = 0
  let heapBefore = 0
  const warmUp = Math.min(20, Math.floor(times / 4))
  for (let index = 0; index < times; index++) {
    // The first rounds warm up what the host keeps for good.
    if (index === warmUp) heapBefore = heapAfterCollection()
    // It waits until the plugin is back.
    const { text: back } = await plugin.complete(JSON.stringify({ token: 'back' }))
    invariants.check(back === 'back', `kill ${index}: an answer of another call`)
    const { pid } = (await plugin.health()).details
    const died = new Promise((resolve) => host.once('crash', resolve))
    const exited = once(watch, 'message')
    let lastAnswer = 0
    const inFlight = Array.from({ length: callers }, (_, caller) => {
      calls += 1
      return plugin.complete(JSON.stringify({ token: String(caller), work: 60_000 })).then(
        () => invariants.check(false, `kill ${index}: a call of a killed plugin succeeded`),
        ({ codeName }) => {
          answered += 1
          lastAnswer = performance.timeOrigin + performance.now()
          invariants.check(codeName === 'PLUGIN_CRASHED', `kill ${index}: a call ended with ${codeName}`)
        },
      )
    })
    await delay(5)
    watch.postMessage(pid)
    process.kill(pid, 'SIGKILL')
    // Without its answers there is no sense in going on.
    if (!(await settles(Promise.all([...inFlight, died]), lostMs))) break
    const [exitedAt] = await exited
    waits[index] = lastAnswer - exitedAt
    if (index % 100 === 99) console.log(`  ${index + 1} kills`)
  }
  const heapAfter = heapAfterCollection()
  await Promise.all([host.close(), watch.terminate()])
  const left = await leftIn(root, 3000)
  remove()
  const growth = heapAfter / heapBefore - 1
  console.log(`${times} kills, ${calls} calls in flight, lost ${calls - answered}`)
  console.log(
    `  from the exit to the last answer: p50 ${milliseconds(percentile(waits, 0.5))}, p99 ${milliseconds(percentile(waits, 0.99))}, longest ${milliseconds(Math.max(...waits))}`,
  )
  console.log(`  the host’s memory ${(100 * growth).toFixed(1)} %; processes left ${left.length}`)
  invariants.check(calls === answered, `${calls - answered} calls were not answered`)
  invariants.check(
    Math.max(...waits) <= limitMs,
    `a call waited ${milliseconds(Math.max(...waits))} for its answer`,
  )
  invariants.check(growth <= 0.1, `the host’s memory grew by ${(100 * growth).toFixed(1)} %`)
  invariants.check(left.length === 0, `processes ${left} are left`)
}
