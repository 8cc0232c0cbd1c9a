/// <reference types="node" preserve="true" />
export { claimsOf } from '../claims.js'
export { type Check, type CheckContext, CheckFailure } from './check.js'
export { type CheckedContract, contractChecks } from './checks.js'
export { classTarget, type TestedClass, type TestManifest } from './class-target.js'
export {
  type CheckReport,
  type CheckResult,
  type CheckStatus,
  type RunChecksOptions,
  runChecks,
} from './run.js'
export { type SampleAudioOptions, sampleAudio } from './sample-audio.js'
export type { MethodSamples, Samples } from './samples.js'
export type {
  CheckTarget,
  RunningPlugin,
  TargetCallOptions,
  WireArgs,
} from './target.js'
