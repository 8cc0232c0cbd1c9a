import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { runCommand } from '../fixtures/command.js'
import { makeFolder } from '../fixtures/plugins.js'
import { parsePrometheus } from '../metrics/prometheus-parser.js'
import { startHost, ttsPlugin } from '../server/client.js'

/** Asks a probe in a folder without anything. */
async function probe(...args: string[]) {
  const { path, remove } = makeFolder()
  onTestFinished(remove)
  const { status, stdout, stderr } = await runCommand(path, 'health', ...args)
  return { status, stdout, stderr }
}

async function portOf(host: { stderr: string }): Promise<string> {
  const port = (): string | undefined =>
    /metrics at http:\/\/127\.0\.0\.1:(\d+)\/metrics\n/.exec(host.stderr)?.[1]
  await expect.poll(port).toBeDefined()
  return port() ?? ''
}

const waitsForFile = `
  async initialize() {
    const { existsSync } = process.getBuiltinModule('node:fs')
    while (!existsSync(new URL('go', import.meta.url))) await new Promise((resolve) => setTimeout(resolve, 20))
  }
`

test('a host is ready once all is loaded, and until it ends', async () => {
  const fragile = ttsPlugin('fragile', 'synthesize() { process.exit(3) }')
  const slow = ttsPlugin('slow', waitsForFile)
  const host = startHost({ ...slow, ...fragile }, ['--auto-load', '--metrics-port', '0'])
  const port = await portOf(host)
  const early = await probe('--port', port, '--json')
  expect([early.status, JSON.parse(early.stdout).ready]).toEqual([1, false])
  writeFileSync(join(host.dir, 'plugins/slow/go'), '')
  await host.result('plugin/call', { plugin: 'slow', method: 'get_voices' })
  await host.result('plugin/call', { plugin: 'fragile', method: 'get_voices' })
  expect(await probe('--port', port)).toEqual({ status: 0, stdout: 'ready\n', stderr: '' })

  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const samples = parsePrometheus(text)
  expect(samples.get('appfactory_calls_total{plugin="slow",method="get_voices",outcome="answered"}')).toBe(1)
  expect(samples.get('appfactory_requests_total')).toBe(2)

  // Quarantine: the fifth crash in a row.
  for (let crashes = 0; crashes < 5; crashes++)
    await host.ask('plugin/call', { plugin: 'fragile', method: 'synthesize', args: { text: 'x' } })
  const unready = { status: 1, stdout: expect.stringMatching(/^fragile: .*crashed 5 times/) }
  await expect.poll(() => probe('--port', port)).toMatchObject(unready)
  await host.result('plugin/unload', { name: 'fragile' })
  expect((await probe('--port', port)).status).toBe(0)

  expect((await host.finish()).code).toBe(0)
  expect(host.garbage).toEqual([])
  expect(await probe('--port', port)).toMatchObject({
    status: 1,
    stdout: expect.stringContaining('nothing listens'),
  })
})

test('a plugin that could not be loaded keeps a host from being ready until it is', async () => {
  const broken = ttsPlugin('broken', `initialize({ good }) { if (!good) throw new Error('no engine') }`)
  const host = startHost(broken, ['--auto-load', '--metrics-port', '0'])
  const port = await portOf(host)
  const reasons = [{ plugin: 'broken', reason: expect.stringContaining('no engine') }]
  await expect
    .poll(async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).json())
    .toEqual({ ready: false, reasons })
  await host.result('plugin/load', { name: 'broken', config: { good: true } })
  expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200)

  // The port is taken, and everything else is said at once too.
  const second = startHost({}, ['--metrics-port', port])
  expect((await second.exited).code).toBe(1)
  expect(second.stderr).toContain(`Port ${port} on 127.0.0.1 is in use; choose another --metrics-port`)
  expect((await host.finish()).code).toBe(0)
})

test('what answers nothing, or something else, is no ready host', async () => {
  const silent = createServer(() => {})
  const other = createServer((_, response) => response.end('{"ready":"yes"}'))
  const endless = createServer((_, response) => {
    const more = (): boolean => !response.destroyed && response.write('x'.repeat(100_000)) && more()
    response.on('drain', more)
    more()
  })
  const ports = await Promise.all(
    [silent, other, endless].map(async (server) => {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      onTestFinished(() => void server.close().closeAllConnections())
      return String((server.address() as AddressInfo).port)
    }),
  )
  const [silentPort = '', otherPort = '', endlessPort = ''] = ports
  const results = await Promise.all([
    probe('--port', silentPort, '--timeout', '200'),
    probe('--port', otherPort),
    probe('--port', endlessPort, '--json'),
    probe('--port', silentPort, '--timeout', '0'),
    probe('--port', '70000'),
  ])
  expect(results.map(({ status }) => status)).toEqual([1, 1, 1, 2, 2])
  expect(results[0]?.stdout).toContain('within 200 ms')
  expect(results[1]?.stdout).toContain('no host of App Factory')
  expect(JSON.parse(results[2]?.stdout ?? '')).toMatchObject({
    ready: false,
    reasons: [{ reason: expect.stringContaining('too long') }],
  })
})

test.each([
  [['--metrics-port', 'http'], '--metrics-port takes a whole number'],
  [['--metrics-port', '0', '--metrics-host', '203.0.113.1'], 'no address of this machine'],
])('%j is refused before anything is served', async (args, reason) => {
  const host = startHost({}, args)
  expect((await host.exited).code).toBe(reason.startsWith('--') ? 2 : 1)
  expect(host.stderr).toContain(reason)
})
