/// <reference types="node" preserve="true" />
export type { Beat, BeatPlugin } from './beat.js'
export type { NatsOptions } from './connection.js'
export type { LinkLimits } from './link-limits.js'
export type { CableOptions } from './nats-cable.js'
export { type ConfigFile, type NatsConfigOptions, natsConfig } from './nats-config.js'
export { type ClusterNode, type NodeOptions, serveNode } from './node.js'
export { drainNode, listNodes } from './nodes.js'
