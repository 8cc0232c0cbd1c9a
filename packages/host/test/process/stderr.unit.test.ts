import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
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
