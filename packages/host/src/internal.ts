/// <reference types="node" preserve="true" />

// What the gateway and the cluster share with the host. Not for applications: it changes with any version.

export { jsonErrorPlace } from './cli/json-error.js'
export { newNonce, openPeer } from './client/open-peer.js'
export { isFromElsewhere, isLocalName, isLoopback, nameOfHost, soleHostOf } from './http/names.js'
export { digestOf, indexOfSecret } from './http/secrets.js'
export type { Link } from './link/link.js'
export { memoryLink } from './link/memory-link.js'
export { Durations, histogramSamples } from './metrics/durations.js'
export { type Family, prometheusText, prometheusType } from './metrics/prometheus.js'
export { withRests } from './metrics/serve.js'
export { checkedNumbers, count, type NumberRule, size, time } from './numbers.js'
export { filesInPath } from './process/path.js'
export { readSmallBytes } from './small-file.js'
