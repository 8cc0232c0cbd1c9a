import {
  BufferTarget,
  EncodedAudioPacketSource,
  EncodedPacket,
  Output,
  StreamTarget,
  WebMOutputFormat,
} from 'mediabunny'
import { packetsOf } from '../../src/audio/ogg.js'

/** The packets of Opus in Ogg as a WebM file, by a writer that is not ours. @param isOpen As browsers record: without lengths. */
export async function webmOf(ogg: Uint8Array, isOpen: boolean): Promise<Uint8Array> {
  const packets = [...packetsOf(ogg)]
  const parts: Uint8Array[] = []
  const whole = new BufferTarget()
  const stream = new WritableStream<{ data: Uint8Array }>({
    write: ({ data }) => void parts.push(data.slice()),
  })
  const target = isOpen ? new StreamTarget(stream) : whole
  const output = new Output({ format: new WebMOutputFormat({ appendOnly: isOpen }), target })
  const source = new EncodedAudioPacketSource('opus')
  output.addAudioTrack(source)
  await output.start()
  const description = packets[0]?.data
  const decoderConfig = {
    codec: 'opus',
    numberOfChannels: 1,
    sampleRate: 48_000,
    ...(description ? { description } : {}),
  }
  for (const [index, { data }] of packets.slice(2).entries())
    await source.add(new EncodedPacket(data, 'key', index / 50, 0.02), { decoderConfig })
  await output.finalize()
  return isOpen ? Buffer.concat(parts) : new Uint8Array(whole.buffer ?? [])
}
