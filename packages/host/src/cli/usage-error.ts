/** A command line that nobody understands: exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}
