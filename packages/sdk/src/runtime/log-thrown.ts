import { describeThrown } from '../errors.js'

/** Logs what was thrown, with its stack; of what can't be looked at, what there is to say. */
export function logThrown(error: unknown): void {
  try {
    console.error(error)
  } catch {
    console.error(describeThrown(error).message)
  }
}
