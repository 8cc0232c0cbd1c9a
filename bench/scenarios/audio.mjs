import { start as project } from '../contenders/appfactory.mjs'
import { base64Peers, peers } from '../contenders/index.mjs'
import { start as limit } from '../contenders/limit.mjs'
import { start as worker } from '../contenders/worker.mjs'
import { callsPerSecond } from '../measure.mjs'
import { withContenders } from '../rounds.mjs'

export const audioBytes = 1024 * 1024

/** Large answers: what a byte costs. */
export const audio = {
  name: 'audio',
  title: '1 MiB replies, 4 in flight',
  unit: 'replies/s',
  base: 'limit',
  targets: [
    { of: 'project', against: 'limit', atLeast: 0.85 },
    { of: 'project', against: 'fork', over: 1 },
    { of: 'project', against: base64Peers, atLeast: 6 },
  ],
  open: withContenders({ limit, project, ...peers, 'worker threads': worker }, ({ bytes }) =>
    callsPerSecond(() => whole(bytes), 4),
  ),
}

/** One reply; throws where it is not all there. */
export async function whole(bytes) {
  const { length } = await bytes()
  if (length !== audioBytes) throw new Error(`A reply has ${length} bytes, not ${audioBytes}`)
}
