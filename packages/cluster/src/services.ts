import { hostVersion } from '@appfactory/host'
import type { Beat } from './beat.js'
import type { Bus, BusSubscription } from './bus.js'

/** What tools ask services for, as ADR-32 of NATS names it. */
const questions = ['PING', 'INFO', 'STATS'] as const

/** The name by which `nats micro` lists nodes. */
const serviceName = 'appfactory'

export interface ServicesOptions {
  bus: Bus
  namespace: string
  beat(): Beat
  /** Requests that were processed, and how many of them failed. */
  requests(): { processed: number; failed: number }
}

/** Answers tools of NATS, so that `nats micro ls` lists nodes and `nats micro stats` shows what they did. */
export function answerTools({ bus, namespace, beat, requests }: ServicesOptions): BusSubscription[] {
  const started = new Date().toISOString()
  const { boot: id } = beat()
  return questions.flatMap((question) =>
    [`$SRV.${question}`, `$SRV.${question}.${serviceName}`, `$SRV.${question}.${serviceName}.${id}`].map(
      (subject) =>
        bus.subscribe(subject, ({ reply }) => {
          if (reply) bus.publish(reply, Buffer.from(JSON.stringify(answer(question))))
        }),
    ),
  )

  function answer(question: (typeof questions)[number]): object {
    const { node, labels, plugins } = beat()
    const metadata = { ...labels, namespace, node }
    const common = { name: serviceName, id, version: hostVersion, metadata }
    const type = `io.nats.micro.v1.${question.toLowerCase()}_response`
    if (question === 'PING') return { type, ...common }
    const endpoints = plugins.map(({ name, version, contract }) => ({
      ...{ name, subject: `af.${namespace}.dial.${name}.${node}`, queue_group: '' },
      metadata: { version, contract },
    }))
    if (question === 'INFO') return { type, ...common, description: 'A node of App Factory', endpoints }
    const { processed, failed } = requests()
    const stats = endpoints.map((endpoint, index) => ({
      ...endpoint,
      // The host counts requests of all plugins together.
      num_requests: index === 0 ? processed : 0,
      num_errors: index === 0 ? failed : 0,
      ...{ last_error: '', processing_time: 0, average_processing_time: 0 },
    }))
    return { type, ...common, started, endpoints: stats }
  }
}
