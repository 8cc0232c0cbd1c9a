import { expect, onTestFinished, test } from 'vitest'
import { PluginHost } from '../../src/host.js'
import { Readiness } from '../../src/metrics/readiness.js'
import { temporaryFolder } from '../fixtures/plugins.js'

function startReadiness(): { host: PluginHost; readiness: Readiness } {
  const host = new PluginHost({ pluginsDir: temporaryFolder() })
  onTestFinished(() => host.close())
  return { host, readiness: new Readiness(host) }
}

test('a host is not ready before it knows what is to be loaded, nor once it is closed', async () => {
  const { host, readiness } = startReadiness()
  expect(readiness.obstacles()).toEqual([{ reason: 'the host is starting' }])
  readiness.started()
  expect(readiness.obstacles()).toEqual([])
  await host.close()
  expect(readiness.obstacles()).toEqual([{ reason: 'the host is shutting down' }])
})

test('a load is an obstacle until it succeeds, and its error while it has failed', async () => {
  const { readiness } = startReadiness()
  readiness.started()
  let succeed = (): void => {}
  const slow = new Promise<void>((resolve) => {
    succeed = resolve
  })
  readiness.expect('slow', slow)
  readiness.expect('broken', Promise.reject(new Error('x'.repeat(1000))))
  readiness.failed(new Error('the folder is gone'))
  await Promise.resolve()
  const pending = { plugin: 'slow', reason: 'it is being loaded' }
  const failed = { plugin: 'broken', reason: expect.stringMatching(/^x{500}… /) }
  expect(readiness.obstacles()).toEqual([{ reason: 'the folder is gone' }, pending, failed])
  // The configuration is read again: what has failed is asked for again, or not wanted.
  readiness.starting()
  expect(readiness.obstacles()).toEqual([pending])
  succeed()
  await slow
  expect(readiness.obstacles()).toEqual([])
})
