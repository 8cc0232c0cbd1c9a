import { percentile } from '../scripts/lib/statistics.mjs'

/** How long one measurement of calls goes on. */
const windowMs = 800

/** Keeps `inFlight` calls under way for a while. */
export async function callsPerSecond(call, inFlight) {
  const start = performance.now()
  let done = 0
  const keepCalling = async () => {
    while (performance.now() - start < windowMs) {
      await call('hello')
      done += 1
    }
  }
  await Promise.all(Array.from({ length: inFlight }, keepCalling))
  return done / ((performance.now() - start) / 1000)
}

/** Calls one after the other for a while; the time that half of them took at most, in µs. */
export async function medianLatency(call) {
  const latencies = []
  for (const start = performance.now(); performance.now() - start < windowMs; ) {
    latencies.push(await elapsedMs(() => call('hello')))
  }
  return percentile(latencies, 0.5) * 1000
}

/** The time that `work` takes, in ms. */
export async function elapsedMs(work) {
  const start = performance.now()
  await work()
  return performance.now() - start
}
