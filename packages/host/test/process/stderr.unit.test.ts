import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { expect, it, onTestFinished, vi } from 'vitest'
import { LogBudget } from '../../src/logs/log-budget.js'
import { StderrLog } from '../../src/process/stderr.js'

it('a long line that goes on for megabytes takes no time for each part of what came before', async () => {
  const stderr = new PassThrough({ highWaterMark: 1e8 })
  let logged = ''
  const log = new StderrLog(stderr, new LogBudget(() => {}), (_, message) => {
    logged += message
  })
  // Time that was computed: a busy machine takes longer.
  const begun = process.cpuUsage()
  for (let part = 0; part < 150; part++) stderr.write('é😀'.repeat(10_000))
  stderr.end('\nthe last words\n')
  await once(stderr, 'end')
  await log.caughtUp()
  expect(process.cpuUsage(begun).user / 1000).toBeLessThan(5000)
  expect(log.tail.length).toBeLessThanOrEqual(8192)
  expect(log.tail).toMatch(/😀\nthe last words\n$/)
  expect(logged).toMatch(/^(é😀)+/)
})

it('what comes in several writes is one entry, and waits for more only so long', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => {
    vi.useRealTimers()
  })
  const stderr = new PassThrough()
  const logged: string[] = []
  new StderrLog(stderr, new LogBudget(() => {}), (level, message) => logged.push(`${level} ${message}`))
  const write = async (text: string): Promise<void> => {
    stderr.write(text)
    await new Promise((resolve) => setImmediate(resolve))
    vi.advanceTimersByTime(60)
  }
  await write('Traceback (most recent call last):\n')
  await write('  File "main.py", line 1\n')
  await write('KeyError: 1\n')
  expect(logged).toEqual([])
  vi.advanceTimersByTime(100)
  expect(logged).toEqual(['ERROR Traceback (most recent call last):\n  File "main.py", line 1\nKeyError: 1'])
  for (let line = 0; line < 40; line++) await write(' on and on\n')
  expect(logged).toHaveLength(2)
})
