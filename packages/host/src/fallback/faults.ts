import { type ErrorName, isPluginError } from '@appfactory/sdk'
import { isAnswer } from '@appfactory/sdk/internal'

/**
 * Whose an error is. `caller`: it would be the same anywhere, so that the caller gets it. `engine`: the next plugin is tried, and the
 * failure counts. `lack`: the next is tried, but this plugin is as well as before.
 */
export type Fault = 'caller' | 'engine' | 'lack'

/** Every code has its row. Codes that authors make up are no fault of an engine: they are a `lack`. */
export const faults: Readonly<Record<ErrorName, Fault>> = {
  PARSE_ERROR: 'engine',
  INVALID_REQUEST: 'engine',
  METHOD_NOT_FOUND: 'lack',
  INVALID_PARAMS: 'caller',
  INTERNAL_ERROR: 'engine',
  PLUGIN_NOT_FOUND: 'engine',
  PLUGIN_NOT_READY: 'engine',
  PLUGIN_LOAD_FAILED: 'engine',
  PLUGIN_INITIALIZE_FAILED: 'engine',
  PLUGIN_SHUTDOWN_FAILED: 'engine',
  PLUGIN_ALREADY_LOADED: 'engine',
  CONTRACT_MISMATCH: 'engine',
  CONTRACT_NOT_FOUND: 'engine',
  MANIFEST_INVALID: 'engine',
  MANIFEST_MISSING: 'engine',
  CONFIG_INVALID: 'engine',
  HOTSWAP_FAILED: 'engine',
  HOTSWAP_ROLLBACK_FAILED: 'engine',
  DISCOVERY_FAILED: 'engine',
  HEALTH_CHECK_TIMEOUT: 'engine',
  CALL_TIMEOUT: 'engine',
  CALL_FORBIDDEN: 'caller',
  PLUGIN_CRASHED: 'engine',
  PLUGIN_QUARANTINED: 'engine',
  RESOURCE_EXHAUSTED: 'lack',
  DEPENDENCY_MISSING: 'engine',
  MODEL_NOT_FOUND: 'engine',
  MESSAGE_TOO_LARGE: 'caller',
  PROTOCOL_VERSION_UNSUPPORTED: 'engine',
  REQUEST_CANCELLED: 'caller',
  TTS_SYNTHESIS_FAILED: 'engine',
  TTS_VOICE_NOT_FOUND: 'caller',
  TTS_TEXT_TOO_LONG: 'caller',
  STT_TRANSCRIPTION_FAILED: 'engine',
  STT_AUDIO_INVALID: 'caller',
  STT_LANGUAGE_NOT_SUPPORTED: 'caller',
  LLM_COMPLETION_FAILED: 'engine',
  LLM_MODEL_NOT_AVAILABLE: 'lack',
  LLM_CONTEXT_TOO_LONG: 'caller',
  LLM_RATE_LIMITED: 'engine',
}

/**
 * Whose the error of a call is that nobody has cancelled.
 *
 * @param callerErrors Codes of authors' own that are the caller's.
 */
export function faultOf(error: unknown, callerErrors: readonly number[]): Fault {
  // A wrong option of the call.
  if (!isPluginError(error)) return 'caller'
  if (callerErrors.includes(error.code)) return 'caller'
  if (error.codeName === undefined) return 'lack'
  // The plugin has given up by itself.
  if (error.codeName === 'REQUEST_CANCELLED' && isAnswer(error)) return 'engine'
  return faults[error.codeName]
}
