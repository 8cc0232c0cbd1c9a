/** Looks at the messages of a connection, in both directions. */
export interface WireTap {
  /** Whether anybody looks at the moment: nothing else is asked of it until then. */
  readonly isOn: boolean
  /** A message of this end is being written. */
  sent(message: unknown): void
  /** The other end sent a message; bytes that came beside it are in their places. A text is what was no JSON-RPC. */
  received(message: unknown): void
}
