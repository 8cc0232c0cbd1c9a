import { mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { logLevels } from '../../src/logs/levels.js'
import { Logs } from '../../src/logs/logs.js'
import { temporaryFolder } from '../fixtures/plugins.js'

const linesOf = (file: string): Record<string, unknown>[] =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

test('each level is in the file by its own name, and the last line is there once it is closed', async () => {
  const dir = join(temporaryFolder(), 'logs')
  const logs = new Logs(dir, { all: 'DEBUG', byPlugin: new Map() })
  for (const level of logLevels) logs.plugin('speaker', level, `a line of ${level}`)
  logs.launcher('CRITICAL', 'the end')
  await logs.close()
  expect(linesOf(join(dir, 'plugins.log')).map(({ level, msg }) => [level, msg])).toEqual(
    logLevels.map((level) => [level, `a line of ${level}`]),
  )
  expect(linesOf(join(dir, 'launcher.log'))).toMatchObject([{ level: 'CRITICAL', msg: 'the end' }])
})

test('another folder in the place of the one that was opened is noticed, and told once', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  onTestFinished(() => {
    vi.useRealTimers()
    write.mockRestore()
  })
  const dir = join(temporaryFolder(), 'logs')
  const logs = new Logs(dir, { all: 'INFO', byPlugin: new Map() })
  logs.plugin('speaker', 'INFO', 'before')
  await vi.waitFor(() => expect(readFileSync(join(dir, 'plugins.log'), 'utf8')).toContain('before'))
  renameSync(dir, `${dir}-moved`)
  mkdirSync(dir)
  for (let look = 0; look < 3; look++) {
    vi.advanceTimersByTime(2000)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await logs.close()
  expect(write.mock.calls.map(([text]) => String(text))).toEqual([expect.stringContaining('was replaced')])
})

test('a line is the same as text, and nothing in it passes for another line or for a terminal’s commands', async () => {
  const dir = temporaryFolder()
  const logs = new Logs(dir, { all: 'INFO', byPlugin: new Map() }, 'text')
  logs.plugin('speaker', 'WARNING', 'one\n2026-01-01T00:00:00.000Z ERROR two\u001b[2J')
  logs.launcher('INFO', 'swap', {
    plugin: 'speaker',
    durationMs: 1.23456,
    message: 'all is well',
    gone: undefined,
  })
  await logs.close()
  const time = '\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z'
  expect(readFileSync(join(dir, 'plugins.log'), 'utf8')).toMatch(
    new RegExp(`^${time} WARNING  speaker: one\\n {4}2026-.* ERROR two\\\\x1b\\[2J\\n$`),
  )
  expect(readFileSync(join(dir, 'launcher.log'), 'utf8')).toMatch(
    new RegExp(`^${time} INFO     speaker: swap duration_ms=1.235 reason="all is well"\\n$`),
  )
})

test('levels of plugins count before that of all', () => {
  const logs = new Logs(undefined, { all: 'ERROR', byPlugin: new Map([['speaker', 'DEBUG']]) })
  expect([logs.wants('DEBUG', 'speaker'), logs.wants('WARNING', 'other'), logs.wants('ERROR')]).toEqual([
    true,
    false,
    true,
  ])
})
