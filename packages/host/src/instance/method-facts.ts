import type { ContractDescriptor, JsonSchema, SessionRole } from '@appfactory/sdk'
import { byteStreamWindow, streamWindow } from '@appfactory/sdk/internal'

/** What each call needs to know of its method, by wire name. */
export class MethodFacts {
  readonly #sessionRoles = new Map<string, SessionRole>()
  readonly #idempotent = new Set<string>()
  /** Where it is not the usual number. */
  readonly #windows = new Map<string, number>()

  constructor({ methods }: ContractDescriptor) {
    for (const { wire, session, idempotent, piece } of methods) {
      if (piece && carriesBytes(piece)) this.#windows.set(wire, byteStreamWindow)
      if (session) this.#sessionRoles.set(wire, session)
      if (idempotent) this.#idempotent.add(wire)
    }
  }

  /** What it does to a session. */
  sessionRole(method: string): SessionRole | undefined {
    return this.#sessionRoles.get(method)
  }

  /** Whether calling it twice does no harm, by its contract. */
  isIdempotent(method: string): boolean {
    return this.#idempotent.has(method)
  }

  /** Pieces that may be on their way before the reader has taken one. `credit`: the caller's own limit. */
  window(method: string, credit: number | undefined): number {
    const most = this.#windows.get(method) ?? streamWindow
    return credit === undefined ? most : Math.min(most, credit)
  }
}

/** Whether what a schema describes holds bytes. */
function carriesBytes(schema: JsonSchema): boolean {
  return JSON.stringify(schema).includes('"contentEncoding":"base64"')
}
