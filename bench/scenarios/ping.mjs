import { percentile } from '../../scripts/lib/statistics.mjs'
import { start as project } from '../contenders/appfactory.mjs'
import { start as limit } from '../contenders/limit.mjs'
import { elapsedMs } from '../measure.mjs'
import { startAll, stopAll } from '../rounds.mjs'
import { whole } from './audio.mjs'

/** So that a p99 is not just the slowest one. */
const enoughPings = 300
const mostBursts = 20
const repliesAtOnce = 64

/** A health check of a plugin that has 64 MiB of audio on its way: whether small messages wait behind large ones. */
export const ping = {
  name: 'ping',
  title: 'ping while 64 MiB stream, p99',
  unit: 'ms',
  targets: [{ of: 'project, streaming', against: 'project, idle', atMost: 5 }],
  open: async () => {
    const started = await startAll({ limit, project })
    const { tts } = started.project
    const bare = [() => started.limit.call('ping'), started.limit.bytes]
    const ours = [async () => (await tts()).health(), started.project.bytes]
    return {
      measures: {
        'limit, idle': () => idle(...bare),
        'limit, streaming': () => streaming(...bare),
        'project, idle': () => idle(...ours),
        'project, streaming': () => streaming(...ours),
      },
      close: () => stopAll(started),
    }
  },
}

export async function idle(askOnce) {
  const latencies = []
  while (latencies.length < enoughPings) latencies.push(await elapsedMs(askOnce))
  return percentile(latencies, 0.99)
}

/** One ping after the other while 64 replies of 1 MiB are under way; as often as it takes for enough pings. */
export async function streaming(askOnce, bytes) {
  const latencies = []
  for (let bursts = 0; bursts < mostBursts && latencies.length < enoughPings; bursts++) {
    let left = repliesAtOnce
    const replies = Array.from({ length: repliesAtOnce }, async () => {
      await whole(bytes)
      left -= 1
    })
    while (left > 0) latencies.push(await elapsedMs(askOnce))
    await Promise.all(replies)
  }
  return percentile(latencies, 0.99)
}
