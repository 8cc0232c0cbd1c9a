import { decodeWav, encodeWav, isPlainWav, type Sound } from './wav.js'

/** What recognisers are made for. */
const speechRate = 16_000

/** A recording that is under way. */
export interface Recording {
  /** What is recorded, for who wants to hear it meanwhile. */
  stream: MediaStream
  /** How loud it is at this moment, from 0 to 1. */
  level(): number
  /** Ends it and gives it back as a WAV file. */
  stop(): Promise<Uint8Array<ArrayBuffer>>
  /** Ends it for nothing; the microphone is let go of. */
  discard(): void
}

export async function record(): Promise<Recording> {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true })
  const recorder = new MediaRecorder(stream)
  const parts: Blob[] = []
  recorder.addEventListener('dataavailable', ({ data }) => parts.push(data))
  const stopped = new Promise((resolve) => recorder.addEventListener('stop', resolve))
  recorder.start()
  const meter = new Meter(stream)
  const end = (): void => {
    if (recorder.state !== 'inactive') recorder.stop()
    for (const track of stream.getTracks()) track.stop()
    meter.close()
  }
  return {
    stream,
    level: () => meter.level(),
    discard: end,
    stop: async () => {
      recorder.stop()
      await stopped
      end()
      return toWav(new Uint8Array(await new Blob(parts).arrayBuffer()))
    },
  }
}

/** Tells how loud a stream is. */
class Meter {
  readonly #context = new AudioContext()
  readonly #analyser = this.#context.createAnalyser()
  readonly #samples = new Float32Array(this.#analyser.fftSize)

  constructor(stream: MediaStream) {
    this.#context.createMediaStreamSource(stream).connect(this.#analyser)
  }

  level(): number {
    this.#analyser.getFloatTimeDomainData(this.#samples)
    return Math.min(
      1,
      this.#samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0),
    )
  }

  close(): void {
    if (this.#context.state !== 'closed') void this.#context.close()
  }
}

/** Makes a WAV file of whatever the browser can play; one of 16-bit samples stays as it is. */
export async function toWav(file: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  if (isPlainWav(file)) return file
  return encodeWav(decodeWav(file) ?? (await decode(file.buffer)))
}

/** The samples of whatever the browser can play, at the rate of speech. */
export async function decode(file: ArrayBuffer): Promise<Sound> {
  const decoded = await new OfflineAudioContext(1, 1, speechRate).decodeAudioData(file.slice(0))
  const context = new OfflineAudioContext(1, Math.ceil(decoded.duration * speechRate), speechRate)
  const source = context.createBufferSource()
  source.buffer = decoded
  source.connect(context.destination)
  source.start()
  const mono = await context.startRendering()
  return { samples: mono.getChannelData(0), sampleRate: speechRate }
}
