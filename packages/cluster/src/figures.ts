import { type Family, prometheusText } from '@appfactory/host/internal'

/** What is counted of the links of a connection to NATS. */
export class LinkFigures {
  /** How often a link had more to send than its other end, or its connection, had room for. */
  stalls = 0
  /** How often what was lost was sent again, and the link went on. */
  resumes = 0
}

/** What is counted of a node. */
export class NodeFigures extends LinkFigures {
  beats = 0
  drains = 0
}

/** What a node has at the moment. */
export interface NodeCounts {
  links: number
  callers: number
}

/** Metrics of a node in Prometheus' text format, beside those of its host. */
export function nodeMetrics(figures: NodeFigures, { links, callers }: NodeCounts): string {
  return prometheusText([
    gauge('node_links', 'Links that callers have opened to this node.', links),
    gauge('node_callers', 'Callers that have used a link to this node.', callers),
    counter('node_beats', 'How often this node has told how it is.', figures.beats),
    counter('node_drains', 'How often this node has begun to leave: 0 or 1.', figures.drains),
    ...linkFamilies('node_', figures),
  ])
}

/** @param prefix Of the names: whose links they are. */
export function linkFamilies(prefix: 'node_' | '', { stalls, resumes }: LinkFigures): Family[] {
  return [
    counter(`${prefix}window_stalls`, 'How often a link had no room for what it was to send.', stalls),
    counter(`${prefix}link_resumes`, 'How often a link went on after messages of NATS were lost.', resumes),
  ]
}

export function counter(name: string, help: string, value: number): Family {
  return { name: `appfactory_cluster_${name}_total`, type: 'counter', help, samples: [{ labels: [], value }] }
}

export function gauge(name: string, help: string, value: number): Family {
  return { name: `appfactory_cluster_${name}`, type: 'gauge', help, samples: [{ labels: [], value }] }
}
