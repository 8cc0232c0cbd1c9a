import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { filesInPath } from '@appfactory/host/internal'
import type { Foreign } from './foreign.js'
import { AudioProblem } from './problem.js'
import { joinBytes } from './samples.js'

/** What it needs of the environment: its libraries, and a place for a file that must be read from several places. */
const variables = ['PATH', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH', 'SystemRoot', 'TEMP', 'TMP', 'TMPDIR']

/** Where FFmpeg is. Undefined: not in PATH. */
export function findFfmpeg(): string | undefined {
  return filesInPath('ffmpeg')[0]
}

/**
 * The sound of a file as FFmpeg reads it: samples of 16 bits, one channel, in pieces. It gets nothing but the file, and is killed when nobody
 * takes more.
 *
 * @param mostMs How long it may take.
 * @throws AudioProblem.
 */
export async function* readByFfmpeg(
  program: string,
  file: Uint8Array,
  { reader, what }: Foreign,
  sampleRate: number,
  signal: AbortSignal,
  mostMs: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const late = AbortSignal.timeout(mostMs)
  const child = spawn(program, argumentsOf(reader, sampleRate), {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: Object.fromEntries(variables.map((name) => [name, process.env[name]])),
    signal: AbortSignal.any([signal, late]),
    killSignal: 'SIGKILL',
    windowsHide: true,
  })
  const ended = once(child, 'close').catch(() => [undefined])
  // It may end before it has read everything.
  child.stdin.on('error', () => {}).end(file)
  let rest = new Uint8Array()
  try {
    for await (const part of child.stdout) {
      const all = joinBytes([rest, part])
      const whole = all.length - (all.length % 2)
      rest = all.slice(whole)
      yield all.subarray(0, whole)
    }
    const [code] = await ended
    if (late.aborted)
      throw new AudioProblem(
        'audio_too_long',
        `FFmpeg takes longer than ${mostMs / 1000} s for it. Send it in parts`,
      )
    if (code !== 0)
      throw new AudioProblem(
        'invalid_audio',
        `The file is ${what}, and FFmpeg can’t read it. It may be damaged`,
      )
  } finally {
    child.kill('SIGKILL')
  }
}

/** Nothing of the client’s is in them. A file is kept while it is read, since an MP4 file may have its index at its end. */
function argumentsOf(reader: string, sampleRate: number): string[] {
  const input = ['-protocol_whitelist', 'cache,pipe', '-f', reader, '-i', 'cache:pipe:0']
  const output = ['-map', '0:a:0', '-ac', '1', '-ar', String(sampleRate), '-f', 's16le', 'pipe:1']
  return ['-v', 'quiet', '-nostdin', ...input, ...output]
}
