const rate = 24_000

/** Plays the sound of answers, and knows how much of each was heard. */
export class Speaker {
  #context
  #playing = new Set()
  /** Where the sound that there is ends, in seconds of the context. */
  #endsAt = 0
  /** What is being played: its item, and when it began. */
  #item

  constructor(context) {
    this.#context = context
  }

  /** How long it still plays, in ms. */
  get leftMs() {
    return Math.max(0, this.#endsAt - this.#context.currentTime) * 1000
  }

  /** @param base64 16-bit samples at 24 kHz. */
  play(itemId, base64) {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
    const samples = Float32Array.from(new Int16Array(bytes.buffer), (sample) => sample / 0x8000)
    const buffer = this.#context.createBuffer(1, samples.length, rate)
    buffer.copyToChannel(samples, 0)
    const source = new AudioBufferSourceNode(this.#context, { buffer })
    source.connect(this.#context.destination)
    const startsAt = Math.max(this.#endsAt, this.#context.currentTime + 0.02)
    if (this.#item?.id !== itemId) this.#item = { id: itemId, startsAt }
    source.start(startsAt)
    source.addEventListener('ended', () => this.#playing.delete(source))
    this.#playing.add(source)
    this.#endsAt = startsAt + buffer.duration
  }

  /** Falls silent. Returns what was being played and for how long, in ms; undefined where it was silent. */
  stop() {
    if (this.leftMs === 0) return undefined
    const heardMs = Math.max(0, Math.round((this.#context.currentTime - this.#item.startsAt) * 1000))
    for (const source of this.#playing) source.stop()
    this.#playing.clear()
    this.#endsAt = 0
    return { itemId: this.#item.id, heardMs }
  }
}
