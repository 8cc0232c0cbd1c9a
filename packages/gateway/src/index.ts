/// <reference types="node" preserve="true" />
export { type GatewayHandler, gatewayHandler } from './handler.js'
export type { GatewayKey } from './keys.js'
export type { GatewayLimits, GatewayOptions, ServeOptions, WyomingPort } from './options.js'
export { type Gateway, serveGateway } from './server.js'
