import { start as command } from '../contenders/command.mjs'
import { startTwoHops } from '../contenders/limit.mjs'
import { callsPerSecond } from '../measure.mjs'
import { withContenders } from '../rounds.mjs'

/** A client in any language: plain JSON to `appfactory-host`, which asks the plugin. */
export const throughCommand = {
  name: 'command',
  title: 'client → appfactory-host → plugin, 64 in flight',
  unit: 'calls/s',
  base: 'limit, two hops',
  targets: [{ of: 'appfactory-host', against: 'limit, two hops', atLeast: 0.6 }],
  open: withContenders({ 'limit, two hops': startTwoHops, 'appfactory-host': command }, ({ call }) =>
    callsPerSecond(call, 64),
  ),
}
