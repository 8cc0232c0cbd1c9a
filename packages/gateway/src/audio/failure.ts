import { RequestError } from '../errors.js'
import { AudioProblem, type ProblemKind } from './problem.js'

const statuses: Record<ProblemKind, number> = {
  invalid_audio: 400,
  unsupported_format: 400,
  audio_too_long: 413,
  too_busy: 429,
}

/** What a client is told of an error. @param param The member of the request that it is about. */
export function audioFailure(error: unknown, param: string): unknown {
  if (!(error instanceof AudioProblem)) return error
  const headers = error.kind === 'too_busy' ? { 'retry-after': '1' } : {}
  return new RequestError(statuses[error.kind], `${param}: ${error.message}`, {
    param,
    code: error.kind,
    headers,
  })
}
