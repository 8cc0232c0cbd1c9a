import { describeThrown } from '../errors.js'

/** Logs a thrown value with its stack, or whatever can be read of it. Never throws, whatever the author made of `console`. */
export function logThrown(error: unknown): void {
  for (const text of [() => error, () => describeThrown(error).message]) {
    try {
      console.error(text())
      return
    } catch {
      // Looking at it threw again, or the author's own console.error did.
    }
  }
}
