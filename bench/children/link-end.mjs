import { NatsLink } from '../../packages/cluster/dist/nats-link.js'
import { Pulse } from '../../packages/cluster/dist/pulse.js'
import { Budget } from '../../packages/cluster/dist/window.js'

const windows = { lines: 1024 * 1024, bytes: 256 * 1024 }

/** One end of a link, without the node and the caller that make links otherwise. */
export function linkEnd(bus, [here, there]) {
  const link = new NatsLink({
    ...{ bus, here, there, takes: windows, gives: windows, peer: there, resumeMs: 5000 },
    ...{ pulse: new Pulse(), budget: new Budget(32 * 1024 * 1024) },
    onOver: () => subscription.unsubscribe(),
  })
  const subscription = bus.subscribe(`${here}.*`, (message) => link.receive(message))
  return link
}

/** As one of a host and a caller that have not agreed on raw bytes. */
export function withoutBytes(link) {
  const { input, output, closed } = link
  return { input, output, closed, close: (error) => link.close(error) }
}
