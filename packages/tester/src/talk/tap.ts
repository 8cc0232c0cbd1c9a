import { concat } from '../../../sdk/src/wav.js'
import captureUrl from './capture.js?url'
import { Queue } from './queue.js'

/** What a microphone hears, while it hears it. */
export interface Tap {
  /** In Hz. */
  sampleRate: number
  /** Samples of 16 bits, one channel. They end when the tap is closed. */
  pieces: AsyncIterable<Uint8Array>
  close(): void
}

/** Shorter pieces would be many calls: in bytes, some 100 ms at 48 kHz. */
const pieceBytes = 8192

export async function tap(stream: MediaStream): Promise<Tap> {
  const context = new AudioContext()
  const pieces = new Queue<Uint8Array>()
  let parts: Int16Array<ArrayBuffer>[] = []
  const flush = (): void => {
    if (parts.length > 0) pieces.push(concat(parts.map(({ buffer }) => new Uint8Array(buffer))))
    parts = []
  }
  try {
    await context.audioWorklet.addModule(captureUrl)
    const capture = new AudioWorkletNode(context, 'capture', {
      channelCount: 1,
      channelCountMode: 'explicit',
    })
    capture.port.onmessage = ({ data }: MessageEvent<Int16Array<ArrayBuffer>>) => {
      parts.push(data)
      if (parts.length * data.byteLength >= pieceBytes) flush()
    }
    context.createMediaStreamSource(stream).connect(capture)
  } catch (error) {
    void context.close()
    throw error
  }
  return {
    sampleRate: context.sampleRate,
    pieces,
    close: () => {
      flush()
      pieces.end()
      void context.close()
    },
  }
}
