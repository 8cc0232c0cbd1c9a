import { describeThrown } from '../errors.js'

/** Logs a thrown value with its stack, or whatever can be read of it. */
export function logThrown(error: unknown): void {
  try {
    console.error(error)
  } catch {
    console.error(describeThrown(error).message)
  }
}
