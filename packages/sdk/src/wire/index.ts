/// <reference types="node" preserve="true" />

export { Bytes } from '../bytes.js'
export { closest } from '../closest.js'
export { type Codec, compileCodec } from '../codec/compile.js'
export { firstIssues, type Issue, issuesText, nameValue } from '../codec/issues.js'
export { MethodCodecs } from '../codec/method-codecs.js'
export { configInvalid } from '../config.js'
export { describeThrown, fromErrorObject, systemCodeOf, toErrorObject } from '../errors.js'
export type { WireHealthStatus } from '../health.js'
export { listed, quoted, shortened } from '../quote.js'
export { isMethodName, toCamelCase, toSnakeCase } from '../wire-names.js'
export { reopenAsBytePipe } from './byte-pipe.js'
export { IncomingCall } from './call.js'
export type { Cancellation } from './cancellation.js'
export { FairReader, holdBack, isHeldBack, letFlow } from './fair-reader.js'
export { defaultMaxMessageBytes } from './lines.js'
export { parseJson, type RequestId } from './message.js'
export {
  allowListeners,
  byteStreamWindow,
  isAnswer,
  maxTimerMs,
  type RequestOptions,
  startTimer,
  streamWindow,
} from './outgoing.js'
export { Peer, type PeerOptions } from './peer.js'
export * from './protocol.js'
export { cancelledBy } from './replies.js'
export { decodeState, encodeState } from './state.js'
export { creditOf, type OutgoingStream } from './streams.js'
