import { describeThrown } from '@appfactory/sdk/internal'
import { isAbsent } from './desired-errors.js'
import { type LeaseValue, readLease } from './lease-value.js'
import { type DesiredRecord, nameOfKey, readRecord } from './record.js'
import type { DesiredStore, StoredChange } from './store.js'

/** What is known of the record of one plugin. */
export interface FollowedRecord {
  revision: number
  /** When this revision was read, as `performance.now()` has it. */
  seenAt: number
  /** Undefined: there is none that can be read. */
  record?: DesiredRecord
  /** What is wrong with it. */
  problem?: string
  /** It was removed: somebody wants the plugin to run no more. */
  isRemoved: boolean
  /** Whether all nodes have had time to tell what they make of it. */
  isAgreed: boolean
}

/** What is known of a lease. */
export interface FollowedLease {
  revision: number
  /** When this revision was read, as `performance.now()` has it: clocks of other machines are never compared. */
  seenAt: number
  /** Undefined: nobody has it, or nobody can read who does. */
  value?: LeaseValue | undefined
  isRemoved: boolean
}

/** How many records are followed. */
const maxRecords = 500

/** All that a store has, as it was read last. What can't be read again stays as it was. */
export class Followed {
  readonly records = new Map<string, FollowedRecord>()
  /** Records that were read since, until they are accepted. */
  readonly changed = new Map<string, FollowedRecord>()
  readonly leases = new Map<string, FollowedLease>()
  /** Why the store could not be read the last time. */
  problem: string | undefined
  #id: string | undefined
  #read = 0

  /** Reads what was written since the last time. Never rejects. */
  async look(open: () => Promise<DesiredStore>): Promise<void> {
    try {
      const store = await open()
      const { id, last } = await store.state()
      // It was made anew, or goes back to a copy: what it had before may be gone.
      if (id !== this.#id || last < this.#read) this.#forget()
      this.#id = id
      while (this.#read < last) {
        const change = await store.next(this.#read)
        if (!change) break
        this.#read = change.revision
        this.#take(change)
      }
      this.problem = undefined
    } catch (error) {
      // Before anything was wanted, there need be nothing.
      const isNotYet = this.#id === undefined && isAbsent(error)
      this.problem = isNotYet ? undefined : describeThrown(error).message
    }
  }

  /** What has changed holds from now on, all at once: what goes and what comes in its place belong together. */
  accept(): void {
    for (const [name, followed] of this.changed)
      if (this.records.has(name) || !followed.isRemoved) this.records.set(name, followed)
    this.changed.clear()
  }

  #forget(): void {
    this.#read = 0
    this.changed.clear()
    this.leases.clear()
    for (const followed of this.records.values()) {
      delete followed.record
      followed.problem = 'its record is lost: load it again, or unload it'
      followed.isRemoved = false
    }
  }

  #take({ key, data, revision, isRemoved }: StoredChange): void {
    const seenAt = performance.now()
    const held = nameOfKey(key, 'leases')
    if (held !== undefined)
      this.leases.set(held, { revision, seenAt, isRemoved, value: isRemoved ? undefined : readLease(data) })
    const wanted = nameOfKey(key, 'plugins')
    if (wanted === undefined) return
    const known = new Set([...this.records.keys(), ...this.changed.keys()])
    if (!known.has(wanted) && (isRemoved || known.size >= maxRecords)) return
    const read = isRemoved ? undefined : readRecord(data)
    this.changed.set(wanted, {
      ...{ revision, seenAt, isRemoved, isAgreed: false },
      ...(typeof read === 'object' ? { record: read } : {}),
      ...(typeof read === 'string' ? { problem: `its record is wrong: ${read}` } : {}),
    })
  }
}
