// Runs in the browser's audio thread: hands the microphone's samples to the page, some 20 ms at a time.
const batch = 1024

class Capture extends AudioWorkletProcessor {
  #samples = new Int16Array(batch)
  #count = 0

  process([[samples = []]]) {
    for (const sample of samples) {
      this.#samples[this.#count++] = Math.max(-1, Math.min(1, sample)) * 0x7fff
      if (this.#count === batch) this.#send()
    }
    return true
  }

  #send() {
    this.port.postMessage(this.#samples.slice())
    this.#count = 0
  }
}

registerProcessor('capture', Capture)
