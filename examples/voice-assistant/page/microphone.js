/** Sends what the microphone hears as 16-bit samples, 40 ms at a time. */
class Microphone extends AudioWorkletProcessor {
  #samples = new Int16Array(960)
  #length = 0

  process([[channel] = []]) {
    for (const sample of channel ?? []) {
      this.#samples[this.#length++] = Math.max(-1, Math.min(1, sample)) * 0x7fff
      if (this.#length < this.#samples.length) continue
      this.port.postMessage(this.#samples.slice())
      this.#length = 0
    }
    return true
  }
}

registerProcessor('microphone', Microphone)
