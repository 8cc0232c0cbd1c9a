import type { FollowedLease } from './followed.js'
import { keyOfLease, type LeaseValue, leaseBytes, readLease } from './lease-value.js'
import type { DesiredStore } from './store.js'

export interface LeaseOptions {
  plugin: string
  /** Who takes it. */
  value: LeaseValue
  store(): Promise<DesiredStore>
  /** It is over, and could not be renewed: what it was for must end at once. */
  onLost(): void
}

/** The part of a lease that others wait besides, for the old holder to end. */
const graceShare = 0.25

/** A renewal that failed is tried again after that part of the lease. */
const retryShare = 1 / 20

/**
 * The right to be the only one who runs a plugin. It holds from the moment in which its holder has sent for it; others take it
 * when they have seen no renewal for longer than that. So no two clocks are compared.
 */
export class Lease {
  /** Rises from holder to holder. */
  readonly number: number
  readonly plugin: string
  readonly #options: LeaseOptions
  #revision: number
  /** By the clock that nobody sets, and by that of the day: it alone goes on while the machine sleeps. */
  #until: { clock: number; day: number }
  #renewing: NodeJS.Timeout | undefined
  #expiry: NodeJS.Timeout | undefined
  #isOver = false
  /** Until the answer to the last renewal. */
  #renewal: Promise<void> = Promise.resolve()

  /** Takes a lease that nobody has, or whose holder has not renewed it. Undefined: somebody has it. */
  static async take(options: LeaseOptions, seen: FollowedLease | undefined): Promise<Lease | undefined> {
    if (seen && !isFree(seen, options.value)) return undefined
    const { plugin, value } = options
    const sent = now()
    const store = await options.store()
    const put = (over: number) => store.put(keyOfLease(plugin), leaseBytes(value), over)
    const revision = (await put(seen?.revision ?? 0)) ?? (await overLast(store, options, put))
    if (revision === undefined) return undefined
    const lease = new Lease(options, revision, sent)
    return lease.isHeld ? lease : undefined
  }

  private constructor(options: LeaseOptions, revision: number, sent: Moment) {
    this.#options = options
    this.plugin = options.plugin
    this.number = revision
    this.#revision = revision
    this.#until = this.#end(sent)
    this.#wait()
  }

  /** Whether nobody else can have it. */
  get isHeld(): boolean {
    const { clock, day } = now()
    return !this.#isOver && clock < this.#until.clock && day < this.#until.day
  }

  /** Ends what it was for, if its time is over: a timer of a process that was stopped is late. */
  check(): void {
    if (!this.#isOver && !this.isHeld) this.#lose()
  }

  /** Gives it back, so that others need not wait. Never rejects. */
  async release(): Promise<void> {
    if (this.#isOver) return
    this.#stop()
    const { plugin, store } = this.#options
    await this.#renewal
    await store()
      .then((opened) => opened.remove(keyOfLease(plugin), this.#revision))
      .catch(() => {})
  }

  #end(sent: Moment): Moment {
    const { leaseMs } = this.#options.value
    return { clock: sent.clock + leaseMs, day: sent.day + leaseMs }
  }

  #wait(): void {
    const { leaseMs } = this.#options.value
    clearTimeout(this.#expiry)
    this.#expiry = setTimeout(() => this.check(), this.#until.clock - performance.now() + 1).unref()
    this.#again(leaseMs / 3)
  }

  #again(ms: number): void {
    clearTimeout(this.#renewing)
    this.#renewing = setTimeout(() => {
      this.#renewal = this.#renew()
    }, ms).unref()
  }

  async #renew(): Promise<void> {
    const { plugin, value, store } = this.#options
    this.check()
    if (this.#isOver) return
    const sent = now()
    try {
      const opened = await store()
      const revision = await opened.put(keyOfLease(plugin), leaseBytes(value), this.#revision)
      // Who gives it back does so with the last one.
      if (revision !== undefined) this.#revision = revision
      if (this.#isOver) return
      if (revision === undefined) return await this.#lookAgain(opened)
      this.#until = this.#end(sent)
      this.#wait()
    } catch {
      if (!this.#isOver) this.#again(value.leaseMs * retryShare)
    }
  }

  /** Something else was written: by this end, if the answer to a renewal was lost. That extends nothing. */
  async #lookAgain(store: DesiredStore): Promise<void> {
    const { plugin, value } = this.#options
    const found = await store.get(keyOfLease(plugin))
    if (this.#isOver) return
    if (!found || found.isRemoved || readLease(found.data)?.boot !== value.boot) return this.#lose()
    this.#revision = found.revision
    this.#again(0)
  }

  #lose(): void {
    this.#stop()
    this.#options.onLost()
  }

  #stop(): void {
    this.#isOver = true
    clearTimeout(this.#renewing)
    clearTimeout(this.#expiry)
  }
}

/** Something newer was written than was seen: it may be this end that has, or nobody has the lease any more. */
async function overLast(
  store: DesiredStore,
  { plugin, value }: LeaseOptions,
  put: (over: number) => Promise<number | undefined>,
): Promise<number | undefined> {
  const last = await store.get(keyOfLease(plugin))
  const isOurs = last && (last.isRemoved || readLease(last.data)?.boot === value.boot)
  return isOurs ? await put(last.revision) : undefined
}

type Moment = { clock: number; day: number }

function now(): Moment {
  return { clock: performance.now(), day: Date.now() }
}

/** Whether nobody can have it any more. What can't be read counts as one that lasts as long as ours. */
function isFree({ seenAt, value, isRemoved }: FollowedLease, own: LeaseValue): boolean {
  if (isRemoved || value?.boot === own.boot) return true
  const { leaseMs } = value ?? own
  return performance.now() - seenAt >= leaseMs * (1 + graceShare)
}
