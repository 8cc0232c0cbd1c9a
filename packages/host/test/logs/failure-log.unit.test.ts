import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PluginError } from '@appfactory/sdk'
import { expect, test } from 'vitest'
import { FailureLog } from '../../src/logs/failure-log.js'
import { Logs } from '../../src/logs/logs.js'
import { temporaryFolder } from '../fixtures/plugins.js'

test('failed calls are logged with what failed; of a flood of them few, and the number of the others', async () => {
  const dir = temporaryFolder()
  const logs = new Logs(dir, { all: 'INFO', byPlugin: new Map() })
  const failures = new FailureLog(logs)
  failures.add('speaker', 'synthesize', new PluginError('CALL_TIMEOUT', 'took too long'), 60_000.123456)
  failures.add('speaker', 'synthesize', new PluginError('REQUEST_CANCELLED'), 5)
  for (let call = 0; call < 10_000; call++)
    failures.add('speaker', 'x'.repeat(10_000), new RangeError('y'.repeat(1e6)), 1)
  failures.close()
  await logs.close()
  const text = readFileSync(join(dir, 'launcher.log'), 'utf8')
  const lines = text
    .trim()
    .split('\n')
    .map((line): Record<string, unknown> => JSON.parse(line))
  expect(lines[0]).toEqual({
    ...{ level: 'WARNING', time: expect.any(String), plugin: 'speaker', method: 'synthesize' },
    ...{ error: 'CALL_TIMEOUT', reason: 'took too long', duration_ms: 60_000.123, msg: 'call failed' },
  })
  expect(lines[1]).toMatchObject({ error: 'RangeError' })
  expect(lines.length).toBeLessThan(400)
  const { not_logged: notLogged } = lines.at(-1) ?? {}
  expect(Number(notLogged)).toBe(10_001 - (lines.length - 1))
  expect(text.length).toBeLessThan(1e6)
})
