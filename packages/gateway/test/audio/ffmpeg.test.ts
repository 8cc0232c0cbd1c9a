import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { hear } from '../../src/audio/jobs.js'

const waiting = new AbortController().signal

describe.skipIf(process.platform === 'win32')('a file that only FFmpeg reads', () => {
  const m4a = Buffer.concat([Buffer.from('\0\0\0\x20ftypM4A ', 'latin1'), randomBytes(300_000)])

  it('is given to it whole, and nothing else is', async () => {
    const folder = await fakeFfmpeg(
      'cat > "$0.file"; echo "$@" > "$0.args"; env > "$0.env"; head -c 32001 /dev/zero',
    )
    vi.stubEnv('SECRET_KEY', 'sesame')
    expect(await hear(m4a, waiting)).toHaveLength(32_000)
    expect((await readFile(join(folder, 'ffmpeg.file'))).equals(m4a)).toBe(true)
    expect(await readFile(join(folder, 'ffmpeg.env'), 'utf8')).not.toContain('sesame')
    expect(await readFile(join(folder, 'ffmpeg.args'), 'utf8')).toBe(
      '-v quiet -nostdin -protocol_whitelist cache,pipe -f mov -i cache:pipe:0 -map 0:a:0 -ac 1 -ar 16000 -f s16le pipe:1\n',
    )
  })

  it.each([
    ['that it can’t read', 'exit 1', 'invalid_audio'],
    ['with nothing in it', 'exit 0', 'invalid_audio'],
    ['that never ends', 'cat /dev/zero', 'audio_too_long'],
    ['that it never finishes', 'exec sleep 1000', 'audio_too_long'],
  ])('is refused: one %s', async (_, script, kind) => {
    await fakeFfmpeg(script)
    const limits = { seconds: 60, programMs: script.includes('sleep') ? 50 : 60_000 }
    await expect(hear(m4a, waiting, limits)).rejects.toMatchObject({ kind })
  })

  it('ends with the wait for it', async () => {
    const folder = await fakeFfmpeg('echo $$ > "$0.new"; mv "$0.new" "$0.pid"; exec sleep 1000')
    const abort = new AbortController()
    const heard = hear(m4a, abort.signal).catch(() => 'ended')
    const file = join(folder, 'ffmpeg.pid')
    await expect.poll(() => existsSync(file), { timeout: 10_000 }).toBe(true)
    abort.abort()
    await heard
    const pid = await readFile(file, 'utf8')
    await expect.poll(() => isAlive(Number(pid))).toBe(false)
  })
})

/** A program of that name, alone in front of PATH, for one test. */
async function fakeFfmpeg(script: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ffmpeg-'))
  await writeFile(join(folder, 'ffmpeg'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  vi.stubEnv('PATH', `${folder}${delimiter}${process.env['PATH']}`)
  onTestFinished(async () => {
    vi.unstubAllEnvs()
    await rm(folder, { recursive: true, force: true })
  })
  return folder
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
