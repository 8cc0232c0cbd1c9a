import { killGroups } from '../process/orphan-guard.js'

/** Signals that end a command, and its exit status then: 128 and the number of the signal. */
const statuses = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/** How long what is left to be done may take after a second signal, and what is left to be read after any, in ms. */
const hurryMs = 1000
/** npx sends on what the terminal has sent already: a signal so soon after the first is the same one. */
const sameSignalMs = 100

/** What ends a command from outside. Without `takeOver()` a signal ends it at once. */
export class StopSignals {
  /** The exit status that a signal asks for; undefined before one has come. */
  status: number | undefined
  readonly #stop = new AbortController()
  #onHangUp: (() => void) | undefined
  #isTakenOver = false
  #receivedAt = 0

  listen(): void {
    for (const [signal, status] of Object.entries(statuses)) {
      try {
        process.on(signal, () => {
          if (signal === 'SIGHUP' && this.#onHangUp) this.#onHangUp()
          else this.#received(status)
        })
      } catch {
        // Windows does not know them all.
      }
    }
  }

  /** Aborted at the first signal: the command ends by itself then. A second one leaves it a second. */
  takeOver(): AbortSignal {
    this.#isTakenOver = true
    return this.#stop.signal
  }

  /** From now on SIGHUP is for the command, and does not end it. On Windows it does: the console was closed. */
  takeHangUps(onHangUp: () => void): void {
    if (process.platform !== 'win32') this.#onHangUp = onHangUp
  }

  /** The command is over: what is left is that what it has written is read. */
  release(): void {
    this.#isTakenOver = true
    this.#onHangUp = undefined
    if (this.status === undefined) this.#stop.signal.addEventListener('abort', () => this.#leaveSoon())
    else this.#leaveSoon()
  }

  #received(status: number): void {
    if (this.status !== undefined) {
      if (performance.now() - this.#receivedAt > sameSignalMs) this.#leaveSoon()
      return
    }
    this.status = status
    this.#receivedAt = performance.now()
    if (!this.#isTakenOver) this.#leave()
    this.#stop.abort()
  }

  #leaveSoon(): void {
    setTimeout(() => this.#leave(), hurryMs).unref()
  }

  #leave(): void {
    killGroups()
    process.exit(this.status)
  }
}
