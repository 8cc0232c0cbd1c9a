import { start as project } from '../contenders/appfactory.mjs'
import { peers } from '../contenders/index.mjs'
import { start as limit } from '../contenders/limit.mjs'
import { start as worker } from '../contenders/worker.mjs'
import { medianLatency } from '../measure.mjs'
import { withContenders } from '../rounds.mjs'

/** One caller that waits for each answer: how long that takes. */
export const latency = {
  name: 'latency',
  title: 'one call at a time, p50',
  unit: 'µs',
  base: 'limit',
  targets: [{ of: 'project', against: 'limit', atMost: 1.4 }],
  open: withContenders({ limit, project, ...peers, 'worker threads': worker }, ({ call }) =>
    medianLatency(call),
  ),
}
