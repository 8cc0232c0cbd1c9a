import { start as project } from '../contenders/appfactory.mjs'
import { peers } from '../contenders/index.mjs'
import { start as limit } from '../contenders/limit.mjs'
import { start as worker } from '../contenders/worker.mjs'
import { callsPerSecond } from '../measure.mjs'
import { withContenders } from '../rounds.mjs'

/** Many callers at once: what a message costs. */
export const calls = {
  name: 'calls',
  title: 'calls, 64 in flight',
  unit: 'calls/s',
  base: 'limit',
  targets: [
    { of: 'project', against: 'limit', atLeast: 0.65 },
    { of: 'project', against: 'MCP SDK', atLeast: 3 },
    { of: 'project', against: 'vscode-jsonrpc', atLeast: 2.5 },
    { of: 'project', against: 'fork', over: 1 },
  ],
  open: withContenders({ limit, project, ...peers, 'worker threads': worker }, ({ call }) =>
    callsPerSecond(call, 64),
  ),
}
