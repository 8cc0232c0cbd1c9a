import { decodeWav, encodeWav } from './wav.js'

/** What recognisers are made for. */
const speechRate = 16_000

/** A recording that is under way. */
export interface Recording {
  /** Ends it and gives it back as a WAV file. */
  stop(): Promise<Uint8Array<ArrayBuffer>>
}

export async function record(): Promise<Recording> {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true })
  const recorder = new MediaRecorder(stream)
  const parts: Blob[] = []
  recorder.addEventListener('dataavailable', ({ data }) => parts.push(data))
  const stopped = new Promise((resolve) => recorder.addEventListener('stop', resolve))
  recorder.start()
  return {
    stop: async () => {
      recorder.stop()
      await stopped
      for (const track of stream.getTracks()) track.stop()
      return toWav(await new Blob(parts).arrayBuffer())
    },
  }
}

/** Makes a WAV file of whatever the browser can play; a WAV file stays as it is. */
export async function toWav(file: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>> {
  const original = new Uint8Array(file)
  if (decodeWav(original)) return original
  const decoded = await new OfflineAudioContext(1, 1, speechRate).decodeAudioData(file.slice(0))
  const context = new OfflineAudioContext(1, Math.ceil(decoded.duration * speechRate), speechRate)
  const source = context.createBufferSource()
  source.buffer = decoded
  source.connect(context.destination)
  source.start()
  const mono = await context.startRendering()
  return encodeWav({ samples: mono.getChannelData(0), sampleRate: speechRate })
}
