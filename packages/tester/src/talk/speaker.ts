/** Time to schedule a sound that follows none, in s. */
const leadSeconds = 0.02

/** Plays sounds one after another, without a gap between them. */
export class Speaker {
  #context: AudioContext | undefined
  readonly #sources = new Set<AudioBufferSourceNode>()
  /** When the sounds so far are over, in the time of the context. */
  #next = 0
  #onQuiet: (() => void)[] = []

  /** To be called while somebody presses something: only then do browsers let a page be heard. */
  open(): void {
    this.#context ??= new AudioContext()
    void this.#context.resume()
  }

  /**
   * Plays a file of sound behind those before it. Returns when it begins, in the time of `performance.now()`; undefined if
   * the signal was aborted meanwhile.
   *
   * @throws DOMException where the browser can't play it.
   */
  async play(file: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<number | undefined> {
    this.#context ??= new AudioContext()
    const context = this.#context
    // The browser takes the bytes away.
    const buffer = await context.decodeAudioData(file.slice().buffer)
    if (signal.aborted) return undefined
    const source = context.createBufferSource()
    source.buffer = buffer
    source.connect(context.destination)
    const at = Math.max(this.#next, context.currentTime + leadSeconds)
    source.start(at)
    this.#next = at + buffer.duration
    this.#sources.add(source)
    source.onended = () => this.#forget(source)
    return performance.now() + (at - context.currentTime) * 1000
  }

  /** Resolves when nothing is heard any more. */
  quiet(): Promise<void> {
    if (this.#sources.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onQuiet.push(resolve)
    })
  }

  /** Ends all sounds at once. */
  silence(): void {
    for (const source of [...this.#sources]) {
      source.onended = null
      source.stop()
      this.#forget(source)
    }
    this.#next = 0
  }

  #forget(source: AudioBufferSourceNode): void {
    this.#sources.delete(source)
    if (this.#sources.size > 0) return
    for (const resolve of this.#onQuiet.splice(0)) resolve()
  }
}
