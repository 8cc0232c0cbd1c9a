import type { Directory } from '../models.js'
import type { Programs } from './programs.js'

/** What answers a client of the Wyoming protocol needs. */
export interface Talk {
  readonly directory: Directory
  readonly programs: Programs
  /** The program that the client has selected. */
  selected: string | undefined
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal
  /** Sends an event; resolves when there is room for another one. */
  send(type: string, data?: object, payload?: Uint8Array): Promise<void>
  /** Tells the operator of what nobody could foresee. */
  report(error: unknown): void
}
