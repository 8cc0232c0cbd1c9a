import { decodeWav, encodeWav } from '@appfactory/sdk'
import { hearingRate } from './jobs.js'
import { tooLong } from './problem.js'
import { isRate } from './samples.js'
import { hearFile } from './thread.js'

/** Sound that every plugin can listen to. */
export interface Recording {
  /** A WAV file of 16-bit samples, with exact lengths. */
  wav: Uint8Array
  seconds: number
}

/** What a client has sent, as every plugin can read it. Its name and type count for nothing. @throws AudioProblem. */
export async function recordingOf(
  file: Uint8Array,
  signal: AbortSignal,
  mostSeconds: number,
): Promise<Recording> {
  const seconds = plainSeconds(file)
  if (seconds !== undefined && seconds > mostSeconds) throw tooLong(mostSeconds)
  if (seconds !== undefined) return { wav: file, seconds }
  const { buffer } = await hearFile(file, signal, mostSeconds)
  const samples = new Int16Array(buffer)
  return { wav: encodeWav(samples, { sampleRate: hearingRate }), seconds: samples.length / hearingRate }
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
