import { setTimeout as delay } from 'node:timers/promises'
import { PluginHost } from '@appfactory/host'
import { settles } from '../deadline.mjs'
import { writePlugins } from '../plugins.mjs'
import { leftIn } from '../processes.mjs'

export const description =
  'SIGKILLs of processes of one plugin, swaps and changes of their number, while calls run'

/** When a call that has no answer counts as lost, in ms. */
const lostMs = 10_000

/** How many processes there are when nothing changes that. */
const usual = 4

export async function run({ seconds = 60, callers = 16, random, invariants }) {
  const { root, remove } = writePlugins(['one'])
  const host = new PluginHost({
    pluginsDir: root,
    retireTimeoutMs: 1000,
    restart: { firstDelayMs: 1, maxDelayMs: 1, maxCrashes: Number.POSITIVE_INFINITY },
  })
  const plugin = await host.load('one', { replicas: usual })
  const counts = { answered: 0, crashed: 0, kills: 0, swaps: 0, scales: 0 }
  let isOver = false
  const callAll = Promise.all(Array.from({ length: callers }, (_, caller) => callUntilOver(caller)))
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    await fault()
    await delay(random.whole(1, 60))
  }
  await host.scale('one', usual)
  isOver = true
  invariants.check(await settles(callAll, lostMs), 'a call was not answered')
  await allReady()
  await host.close()
  const left = await leftIn(root, 3000)
  remove()
  console.log(
    `${counts.kills} kills, ${counts.swaps} swaps, ${counts.scales} changes of the number; ${counts.answered} calls answered, ${counts.crashed} crashed; processes left ${left.length}`,
  )
  invariants.check(counts.crashed < counts.answered, 'more calls crashed than were answered')
  invariants.check(left.length === 0, `processes ${left} are left`)

  async function callUntilOver(caller) {
    for (let index = 0; !isOver; index++) {
      const token = `${caller}-${index}`
      try {
        const { text } = await plugin.complete(JSON.stringify({ token, work: 5 }))
        invariants.check(text === token, `${token} got the answer of ${text}`)
        counts.answered += 1
      } catch (error) {
        invariants.check(error.codeName === 'PLUGIN_CRASHED', `a call ended with ${error}`)
        counts.crashed += 1
      }
    }
  }

  async function fault() {
    const kind = random.whole(1, 20)
    if (kind === 1) await swap()
    else if (kind <= 3) await scale()
    else await kill()
  }

  async function kill() {
    const { details } = await plugin.health()
    // A single process is told of without places.
    const pids = (details.places ?? [details]).flatMap(({ pid }) => pid ?? [])
    if (pids.length === 0) return
    counts.kills += 1
    try {
      process.kill(pids[random.whole(0, pids.length - 1)], 'SIGKILL')
    } catch {
      // It has ended by itself meanwhile.
    }
  }

  /** A new process may be killed too: then the old ones go on. */
  async function swap() {
    counts.swaps += 1
    const swapping = host.swap('one', 'one').catch(({ codeName }) => {
      invariants.check(/^HOTSWAP_/.test(codeName), `a swap ended with ${codeName}`)
    })
    await kill()
    invariants.check(await settles(swapping, lostMs), 'a swap has not ended')
  }

  async function scale() {
    counts.scales += 1
    await host.scale('one', random.whole(1, 6)).catch(({ codeName }) => {
      invariants.check(codeName === 'PLUGIN_CRASHED', `a change of the number ended with ${codeName}`)
    })
  }

  /** Whatever was killed last is back. */
  async function allReady() {
    for (const end = performance.now() + lostMs; performance.now() < end; await delay(20)) {
      const { details } = await plugin.health()
      if (details.replicas === usual && details.replicas_ready === usual) return
    }
    invariants.check(false, `not all of ${usual} processes are back`)
  }
}
