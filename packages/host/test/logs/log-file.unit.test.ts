import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LogFile } from '../../src/logs/log-file.js'
import { Logs } from '../../src/logs/logs.js'
import { temporaryFolder } from '../fixtures/plugins.js'

/** All lines of all files. */
function linesIn(dir: string): { at?: number; dropped?: number }[] {
  return readdirSync(dir)
    .flatMap((file) => readFileSync(join(dir, file), 'utf8').split('\n').slice(0, -1))
    .map((line) => JSON.parse(line) as { at?: number; dropped?: number })
}

function bytesIn(dir: string): number {
  return readdirSync(dir).reduce((sum, file) => sum + statSync(join(dir, file)).size, 0)
}

test('more than the disk takes is dropped, and the file tells how much; what comes later is written', async () => {
  const dir = temporaryFolder()
  const file = new LogFile(dir, 'plugins.log', (error) => expect.unreachable(String(error)))
  const count = 100_000
  // The disk has no chance before all of it is said.
  for (let at = 0; at < count; at++) file.write(`${JSON.stringify({ at, pad: 'x'.repeat(100) })}\n`)
  await expect.poll(() => linesIn(dir).some(({ dropped }) => dropped !== undefined)).toBe(true)
  file.write('{"at":-1}\n')
  await file.close()
  const lines = linesIn(dir)
  const dropped = lines.reduce((sum, line) => sum + (line.dropped ?? 0), 0)
  expect(dropped).toBeGreaterThan(count / 2)
  const kept = lines.flatMap(({ at }) => (at === undefined ? [] : [at]))
  expect(kept).toHaveLength(count + 1 - dropped)
  expect(kept).toContain(-1)
})

test('what fits is written whole, over several files', async () => {
  const dir = temporaryFolder()
  const file = new LogFile(dir, 'plugins.log', (error) => expect.unreachable(String(error)))
  for (let at = 0; at < 30; at++) {
    file.write(`${JSON.stringify({ at, pad: 'x'.repeat(900_000) })}\n`)
    await expect.poll(() => bytesIn(dir), { interval: 5 }).toBeGreaterThan((at + 1) * 900_000)
  }
  await file.close()
  expect(readdirSync(dir)).toHaveLength(3)
  expect(
    linesIn(dir)
      .map((line) => line.at)
      .toSorted((a, b) => Number(a) - Number(b)),
  ).toEqual(Array.from({ length: 30 }, (_, at) => at))
})

test('a file that is moved away is gone on with in a new one', async () => {
  const dir = temporaryFolder()
  const file = new LogFile(dir, 'plugins.log', (error) => expect.unreachable(String(error)))
  file.write('{"at":1}\n')
  await expect.poll(() => linesIn(dir)).toEqual([{ at: 1 }])
  await file.look()
  renameSync(join(dir, 'plugins.log'), join(dir, 'moved'))
  await file.look()
  file.write('{"at":2}\n')
  await expect.poll(() => existsSync(join(dir, 'plugins.log')) && bytesIn(dir)).toBe(18)
  rmSync(join(dir, 'plugins.log'))
  await file.look()
  file.write('{"at":3}\n')
  await file.close()
  expect(readFileSync(join(dir, 'moved'), 'utf8')).toBe('{"at":1}\n')
  expect(readFileSync(join(dir, 'plugins.log'), 'utf8')).toBe('{"at":3}\n')
})

test('a plugin that says much does not push out what the others have said', async () => {
  const dir = temporaryFolder()
  const logs = new Logs(dir, { all: 'INFO', byPlugin: new Map() })
  logs.plugin('quiet', 'INFO', 'the first word')
  const flood = async (): Promise<void> => {
    for (let at = 0; at < 1000; at++) logs.plugin('noisy', 'INFO', `${at} ${'x'.repeat(900)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const file = join(dir, 'plugins.log')
  // Its folder and file are made in turns of the loop.
  const shared = (): string => (existsSync(file) ? readFileSync(file, 'utf8') : '')
  // A busy disk drops much of it: it takes as many rounds as it takes until the share is used up.
  do await flood()
  while (!shared().includes('plugins.noisy.log'))
  for (let round = 0; round < 10; round++) await flood()
  logs.plugin('quiet', 'INFO', 'the last word')
  await logs.close()
  const all = shared()
  expect(all.length).toBeLessThan(4_000_000)
  expect(all).toContain('the first word')
  expect(all).toContain('the last word')
  expect(all).toContain('plugins.noisy.log')
  // The newest file may have just begun.
  const own = readdirSync(dir).filter((file) => file.startsWith('plugins.noisy.log'))
  expect(own.map((file) => readFileSync(join(dir, file), 'utf8')).join('')).toContain('"plugin":"noisy"')
})
