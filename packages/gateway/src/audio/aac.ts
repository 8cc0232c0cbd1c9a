import type { Encoder } from './encode.js'
import { loadCodec } from './problem.js'

/** In Hz. A frame is 21 ms long, and the encoder puts one in front. */
export const aacRate = 48_000
const frameSamples = 1024
const bitrate = 96_000

/** AAC in ADTS frames. The codec is no dependency of the gateway: it takes 17 MB. */
export async function aacEncoder(): Promise<Encoder> {
  const packages = '@mediabunny/aac-encoder mediabunny'
  const [codec, bunny] = await loadCodec('Making AAC', packages, () =>
    Promise.all([import('@mediabunny/aac-encoder'), import('mediabunny')]),
  )
  codec.registerAacEncoder()
  const made: Uint8Array[] = []
  const written = new WritableStream<{ data: Uint8Array }>({ write: ({ data }) => void made.push(data) })
  const format = new bunny.AdtsOutputFormat()
  const output = new bunny.Output({ format, target: new bunny.StreamTarget(written) })
  const source = new bunny.AudioSampleSource({ codec: 'aac', bitrate })
  output.addAudioTrack(source)
  await output.start()
  let heard = 0
  return {
    async push(samples) {
      // The codec may be a few pushes behind: short ones are the less sound that it holds back.
      for (let start = 0; start < samples.length; start += frameSamples) {
        const data = samples.subarray(start, start + frameSamples)
        const place = { sampleRate: aacRate, timestamp: heard / aacRate }
        const sample = new bunny.AudioSample({ data, format: 'f32', numberOfChannels: 1, ...place })
        heard += data.length
        await source.add(sample)
        sample.close()
      }
      return made.splice(0)
    },
    async end() {
      await output.finalize()
      return made.splice(0)
    },
    // The codec runs in a thread of its own, which ends with it.
    free: () => void (output.state === 'started' && output.cancel()),
  }
}
