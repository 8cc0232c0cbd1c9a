import { decodeWav, encodeWav } from '@appfactory/sdk'
import type { Exchange } from '../exchange.js'
import { foreignOf, secondsOfMp4 } from './foreign.js'
import { hearingRate } from './jobs.js'
import { AudioProblem, tooLong } from './problem.js'
import { isRate } from './samples.js'
import { hearFile } from './thread.js'

/** Sound as a plugin gets it. */
export interface Recording {
  /** A WAV file of 16-bit samples, with exact lengths; or a file of the format that is named. */
  audio: Uint8Array
  format: string | undefined
  /** 0 where nobody knows. */
  seconds: number
}

/**
 * What a client has sent, as the plugin can read it. Its name and type count for nothing.
 *
 * @param capabilities Of the plugin.
 * @throws AudioProblem.
 */
export async function recordingOf(
  file: Uint8Array,
  capabilities: () => Promise<readonly string[]>,
  { signal, audioSeconds }: Pick<Exchange, 'signal' | 'audioSeconds'>,
): Promise<Recording> {
  const seconds = plainSeconds(file)
  if (seconds !== undefined && seconds > audioSeconds) throw tooLong(audioSeconds)
  if (seconds !== undefined) return { audio: file, format: undefined, seconds }
  try {
    const { buffer } = await hearFile(file, signal, audioSeconds)
    const samples = new Int16Array(buffer)
    const audio = encodeWav(samples, { sampleRate: hearingRate })
    return { audio, format: undefined, seconds: samples.length / hearingRate }
  } catch (error) {
    const foreign = foreignOf(file)
    const isUnread = error instanceof AudioProblem && error.kind === 'unsupported_format'
    if (!isUnread || !foreign || !(await capabilities()).includes(`${foreign.name}_input`)) throw error
    return { audio: file, format: foreign.name, seconds: secondsOfMp4(file) }
  }
}

/** How long a WAV file is that needs no work; undefined of any other file. */
function plainSeconds(file: Uint8Array): number | undefined {
  const wav = decodeWav(file)
  if (!wav || wav.float || wav.bitsPerSample !== 16 || wav.channels > 2 || !isRate(wav.sampleRate))
    return undefined
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const isExact =
    Buffer.from(file.subarray(0, 4)).toString('latin1') === 'RIFF' &&
    view.getUint32(4, true) + 8 === file.length
  const { length } = wav.data
  return isExact && length > 0 ? length / (2 * wav.channels * wav.sampleRate) : undefined
}
