/// <reference types="node" preserve="true" />

// What the host shares with the SDK. Not for plugins or applications: it changes with any version.

export { wrapWav } from './audio.js'
export { Bytes, holdsBytes } from './bytes.js'
export { closest } from './closest.js'
export { type Codec, compileCodec, lazyCodec } from './codec/compile.js'
export { firstIssues, type Issue, issuesText, nameValue } from './codec/issues.js'
export { MethodCodecs } from './codec/method-codecs.js'
export { configInvalid } from './config.js'
export { describeThrown, fromErrorObject, systemCodeOf, toErrorObject } from './errors.js'
export type { WireHealthStatus } from './health.js'
export { listed, quoted, shortened } from './quote.js'
export { Resampler } from './resample.js'
export { activeTrace, type TraceContext, traceContextOf } from './trace-context.js'
export { failureOf, type Outcome, outcomeOf, type Trace, Traced } from './traced.js'
export { reopenAsBytePipe } from './wire/byte-pipe.js'
export { IncomingCall } from './wire/call.js'
export type { Cancellation } from './wire/cancellation.js'
export { FairReader, holdBack, isHeldBack, letFlow } from './wire/fair-reader.js'
export { defaultMaxMessageBytes } from './wire/lines.js'
export { parseJson, type RequestId } from './wire/message.js'
export {
  allowListeners,
  byteStreamWindow,
  type CallObserver,
  isAnswer,
  markAnswer,
  maxTimerMs,
  type RequestOptions,
  startTimer,
  streamWindow,
} from './wire/outgoing.js'
export { Peer, type PeerOptions } from './wire/peer.js'
export * from './wire/protocol.js'
export { cancelledBy } from './wire/replies.js'
export { decodeState, encodeState } from './wire/state.js'
export { creditOf, type OutgoingStream } from './wire/streams.js'
export type { WireTap } from './wire/tap.js'
export { isMethodName, reservedNames, toCamelCase, toSnakeCase } from './wire-names.js'
