import type { Bus } from '../src/bus.js'
import { graceMs } from '../src/liveness.js'
import { NatsLink, type NatsLinkOptions } from '../src/nats-link.js'
import { Pulse } from '../src/pulse.js'
import { Budget } from '../src/window.js'

let links = 0

export const windows = { lines: 1024 * 1024, bytes: 256 * 1024 } as const

type Varied = Partial<
  Pick<NatsLinkOptions, 'takes' | 'gives' | 'resumeMs' | 'graceMs' | 'budget' | 'pulse' | 'figures'>
>

/** Both ends of a link between two connections of a bus. */
export function linkOver(caller: Bus, node: Bus, varied: Varied = {}): [NatsLink, NatsLink] {
  links += 1
  const [here, there] = [`back.web.${links}`, `to.gpu.web.${links}`]
  return [
    endOf(caller, { here, there, peer: 'node gpu', graceMs: graceMs.ofNode, ...varied }),
    endOf(node, {
      here: there,
      there: here,
      peer: 'caller web',
      caller: 'web',
      graceMs: graceMs.ofCaller,
      ...varied,
    }),
  ]
}

type End = Pick<NatsLinkOptions, 'here' | 'there' | 'peer'> & { caller?: string } & Varied

export function endOf(bus: Bus, end: End): NatsLink {
  const common = { pulse: new Pulse(), budget: new Budget(32 * 1024 * 1024), takes: windows, gives: windows }
  const link: NatsLink = new NatsLink({
    ...common,
    ...{ resumeMs: 5000, graceMs: graceMs.ofNode },
    ...end,
    bus,
    // As a node does: who comes back is told.
    onOver: () => setTimeout(() => subscription.unsubscribe(), 5000).unref(),
  })
  const subscription = bus.subscribe(`${end.here}.*`, (message) => link.receive(message))
  return link
}
