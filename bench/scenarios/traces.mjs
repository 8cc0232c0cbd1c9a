import { fileURLToPath } from 'node:url'
import { startChild } from '../contenders/child.mjs'
import { withContenders } from '../rounds.mjs'

const file = fileURLToPath(new URL('../children/traced.mjs', import.meta.url))

/** What it costs that calls can be traced, and are. */
export const traces = {
  name: 'traces',
  title: 'host’s processor time of a call',
  unit: 'µs/call',
  base: 'nobody listens',
  targets: [],
  open: withContenders(
    {
      'nobody listens': () => startChild(file, ['never']),
      'nobody listens any more': () => startChild(file, ['before']),
      'a listener': () => startChild(file, ['listener']),
      'OpenTelemetry, without a provider': () => startChild(file, ['opentelemetry']),
    },
    ({ ask }) => ask('costOfCall'),
  ),
}
