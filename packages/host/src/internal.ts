/// <reference types="node" preserve="true" />

// What the gateway and the cluster share with the host. Not for applications: it changes with any version.

export { withBase64 } from './base64.js'
export type { Callee } from './callee.js'
export { jsonErrorPlace } from './cli/json-error.js'
export { newNonce, openPeer } from './client/open-peer.js'
export { isHostError, requestCancelled } from './errors.js'
export { checkContract, expectedContract, type Given, namesContract } from './expected-contract.js'
export { createHandle } from './handle.js'
export { isFromElsewhere, isLocalName, isLoopback, nameOfHost, soleHostOf } from './http/names.js'
export { digestOf, indexOfSecret } from './http/secrets.js'
export { Callers } from './instance/callers.js'
export { MethodFacts } from './instance/method-facts.js'
export { PieceStream } from './instance/pieces.js'
export type { Link } from './link/link.js'
export { memoryLink } from './link/memory-link.js'
export { Durations, histogramSamples } from './metrics/durations.js'
export { type Family, prometheusText, prometheusType } from './metrics/prometheus.js'
export { Requests } from './metrics/requests.js'
export { withRests } from './metrics/serve.js'
export { checkedNumbers, count, type NumberRule, size, time } from './numbers.js'
export {
  type RoutedCallOptions,
  type SlotLimits,
  slotLimitsOf,
  slotRules,
  unknownOptionOf,
  type WireArgs,
} from './options.js'
export { readWithin } from './process/backpressure.js'
export { filesInPath } from './process/path.js'
export { CallRouter } from './slot/call-router.js'
export { overallStatus } from './slot/places.js'
export type { Unbegun, Worker, Workers } from './slot/worker.js'
export { readSmallBytes } from './small-file.js'
export { repeatEvery, waitUntil, within } from './waiting.js'
export { hasPlugin, type Workload, workloadsOf } from './workload.js'
