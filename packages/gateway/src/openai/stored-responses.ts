import type { ChatMessage } from '@appfactory/sdk'
import { Kept } from '../kept.js'
import type { GatewayLimits } from '../options.js'
import type { ListedItem } from './input-items.js'
import type { ResponseBody } from './response-body.js'

/** An item of an earlier answer, as clients refer to it by its id. */
export interface StoredItem {
  item: ListedItem
  turn: ChatMessage
  bytes: number
}

/** An answer that a client may go on from. */
export interface StoredResponse {
  body: ResponseBody
  /** What it was made of, with the conversation before it. */
  input: readonly ListedItem[]
  /** The conversation up to its end, without instructions. */
  turns: readonly ChatMessage[]
  /** The items that the conversation has by id: its own, and those that it referred to. */
  items: ReadonlyMap<string, StoredItem>
  /** What all of it takes, roughly. */
  bytes: number
}

type Limits = Pick<GatewayLimits, 'storedResponses' | 'storedResponseBytes' | 'storedResponseMs'>

/** Answers in memory, or parts of such. Those of one key are not there for another. */
export class StoredAnswers<Stored> {
  readonly #limits: Limits
  readonly #byOwner = new Map<string, Kept<Stored>>()

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** @param owner Whose they are. */
  of(owner: string): Kept<Stored> {
    const { storedResponses: most, storedResponseBytes: mostBytes, storedResponseMs: ms } = this.#limits
    const known = this.#byOwner.get(owner)
    const kept = known ?? new Kept<Stored>({ most, mostBytes, ms })
    if (!known) this.#byOwner.set(owner, kept)
    return kept
  }

  /** Forgets all of them. */
  clear(): void {
    for (const kept of this.#byOwner.values()) kept.clear()
  }
}
