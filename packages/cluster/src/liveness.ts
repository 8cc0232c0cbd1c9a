import type { Bus, BusChange } from './bus.js'
import { type Pulse, type Pulsing, tickMs } from './pulse.js'

export interface LivenessOptions {
  bus: Bus
  pulse: Pulse
  /** How long the other end may be cut off from the bus, in ms. */
  resumeMs: number
  /** How long an end that nobody reaches may take to be there again, in ms, where nothing says that its server has gone. */
  graceMs: number
}

export interface LivenessEnds {
  /** Whether anything is to come from the other end. */
  isWaiting(): boolean
  /** Asks the other end for an answer and, with `resume`, for all that was lost. */
  ask(resume: boolean): void
  giveUp(reason: string, lost: 'node' | 'link'): void
}

/** What was lost is being asked for. */
interface Resume {
  /** Since how many ticks. */
  ticks: number
  /** By the clock of `performance.now()`. */
  until: number
  /** What is wrong if nothing comes until then. */
  reason: string
  lost: 'node' | 'link'
}

/** Silence after which the other end is asked, in ticks: with the grace below, an end that has died is noticed within 300 ms. */
const askTicks = 2
/** Silence that means that it does not live, in ticks: three beats. */
const deadTicks = 15

/** How long an end that nobody reaches may take to be there again, in ms. */
export const graceMs = {
  /** So long does a new connection take, and then its calls go to another node. */
  ofNode: 90,
  /** Its calls would be lost, and it only needs a new connection: three beats. */
  ofCaller: deadTicks * tickMs,
} as const

/** Whether the other end of a link lives. Anything that arrives says that it does; who waits for something asks. */
export class Liveness implements Pulsing {
  readonly #options: LivenessOptions
  readonly #ends: LivenessEnds
  /** Ticks without a word. */
  #silence = 0
  #isProbing = false
  #isOver = false
  #lostAt: number | undefined
  /** Until when messages may be lost because a server has gone. */
  #unsettledUntil = 0
  #resume: Resume | undefined

  constructor(options: LivenessOptions, ends: LivenessEnds) {
    this.#options = options
    this.#ends = ends
    if (!options.bus.isConnected) this.takeChange({ type: 'lost' })
  }

  /** Whether what is sent now is likely to arrive. */
  get isOpen(): boolean {
    return this.#resume === undefined && this.#lostAt === undefined
  }

  /** Whether messages may be lost although both ends are right. */
  get mayLose(): boolean {
    return !this.isOpen || performance.now() < this.#unsettledUntil
  }

  wake(): void {
    if (!this.#isOver) this.#options.pulse.wake(this)
  }

  /** Asks once, though nothing is to come. */
  probe(): void {
    this.#isProbing = true
    this.#ends.ask(false)
    this.wake()
  }

  end(): void {
    this.#isOver = true
    this.#options.pulse.forget(this)
  }

  heard(): void {
    this.#silence = -1
    this.#isProbing = false
  }

  /** Both ends have what they had lost. */
  resumed(): void {
    this.#resume = undefined
  }

  /** A message of this end has reached nobody. */
  reachedNobody(): void {
    // It is not there, which is no silence of one that is.
    this.#silence = 0
    if (!this.isOpen) return
    const until = Math.max(performance.now() + this.#options.graceMs, this.#unsettledUntil)
    this.#begin(until, 'nobody is there', 'node')
  }

  /** Asks for what was lost. */
  resumeNow(): void {
    if (this.isOpen) this.#begin(this.#unsettledUntil, 'it does not send again what was lost', 'link')
  }

  takeChange({ type }: BusChange): void {
    const now = performance.now()
    const { resumeMs } = this.#options
    if (type === 'lost') this.#lostAt ??= now
    else if (type === 'moved') this.#settle(now + resumeMs)
    else if (type === 'back') {
      this.#settle((this.#lostAt ?? now) + resumeMs)
      this.#lostAt = undefined
      this.#begin(this.#unsettledUntil, 'nobody was there after the connection to NATS had come back', 'node')
    } else if (type === 'closed') this.#ends.giveUp('the connection to NATS is closed', 'link')
    this.wake()
  }

  tick(): boolean {
    if (this.#lostAt !== undefined) return this.#waitForBus(this.#lostAt)
    if (this.#resume) return this.#waitForResume(this.#resume)
    if (!this.#isProbing && !this.#ends.isWaiting()) {
      this.#silence = 0
      return false
    }
    if (this.#isDead()) return false
    if (this.#silence > 0 && this.#silence % askTicks === 0) this.#ends.ask(false)
    return true
  }

  /** One more tick without a word. Returns whether that was one too many. */
  #isDead(): boolean {
    this.#silence += 1
    if (this.#silence < deadTicks) return false
    this.#ends.giveUp(`it has not answered for ${deadTicks * tickMs} ms`, 'node')
    return true
  }

  #waitForBus(lostAt: number): boolean {
    const { resumeMs } = this.#options
    if (performance.now() < lostAt + resumeMs) return true
    this.#ends.giveUp(`the connection to NATS has been lost for ${resumeMs} ms`, 'link')
    return false
  }

  /** A tick of this process's own may be late: what has arrived meanwhile is read before the next one. */
  #waitForResume(resume: Resume): boolean {
    resume.ticks += 1
    if (this.#isDead()) return false
    if (resume.ticks > 1 && performance.now() >= resume.until) {
      this.#ends.giveUp(resume.reason, resume.lost)
      return false
    }
    this.#ends.ask(true)
    return true
  }

  #begin(until: number, reason: string, lost: 'node' | 'link'): void {
    this.#resume = { ticks: 0, until, reason, lost }
    this.#silence = 0
    this.#ends.ask(true)
    this.wake()
  }

  #settle(until: number): void {
    this.#unsettledUntil = Math.max(this.#unsettledUntil, until)
    if (this.#resume) this.#resume.until = Math.max(this.#resume.until, this.#unsettledUntil)
  }
}
