import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { PluginHost } from '@appfactory/host'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Gateway, type GatewayKey, type ServeOptions, serveGateway } from '../src/index.js'
import { durationText, Rate } from '../src/rate.js'
import { type Answer, json, send } from './visitor.js'

/** A gateway in front of a host without plugins. */
async function start(keys: readonly (string | GatewayKey)[], options: ServeOptions = {}): Promise<Gateway> {
  const host = new PluginHost({ pluginsDir: import.meta.dirname, projectDir: false })
  const gateway = await serveGateway(host, { port: 0, keys, limits: { drainTimeoutMs: 1 }, ...options })
  onTestFinished(() => gateway.close().then(() => host.close()))
  return gateway
}

function list({ port }: Gateway, key = 'one'): Promise<Answer> {
  return send(port, { path: '/v1/models', headers: { authorization: `Bearer ${key}` } })
}

const digest = (key: string): string => `sha256:${createHash('sha256').update(key).digest('hex')}`

describe('requests a minute', () => {
  it('are counted for each key, and told in headers', async () => {
    const gateway = await start([{ key: 'one', name: 'kitchen', requestsPerMinute: 2 }, 'two'])
    const answers = [await list(gateway), await list(gateway), await list(gateway)]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429])
    const left = answers.map(({ headers }) => headers['x-ratelimit-remaining-requests'])
    expect(left).toEqual(['1', '0', '0'])
    for (const { headers } of answers)
      expect(headers).toMatchObject({
        'x-ratelimit-limit-requests': '2',
        'x-ratelimit-reset-requests': expect.stringMatching(/^(\d+m)?[\d.]+s$/),
      })
    const refused = answers.at(-1)
    expect(Number(refused?.headers['retry-after'])).toBeGreaterThan(0)
    expect(refused && json(refused)).toEqual({
      error: {
        message: expect.stringContaining('"kitchen" may send 2 requests a minute'),
        ...{ type: 'rate_limit_error', param: null, code: 'rate_limit_exceeded' },
      },
    })
    const other = await list(gateway, 'two')
    expect(other.status).toBe(200)
    expect(other.headers).not.toHaveProperty('x-ratelimit-limit-requests')
  })

  it('count whatever is answered, and not what has no key', async () => {
    const gateway = await start([{ key: 'one', requestsPerMinute: 1 }])
    const headers = { 'x-api-key': 'one' }
    expect((await list(gateway, 'wrong')).status).toBe(401)
    expect((await send(gateway.port, { path: '/health', headers })).status).toBe(200)
    expect((await send(gateway.port, { path: '/v1/nothing', headers })).status).toBe(404)
    expect((await send(gateway.port, { path: '/v1/nothing', headers })).status).toBe(429)
  })

  it('come back one by one', () => {
    let now = 0
    const rate = new Rate(2, () => now)
    expect([rate.take(), rate.take(), rate.take()]).toEqual([true, true, false])
    expect([rate.left, rate.nextMs, rate.fullMs]).toEqual([0, 30_000, 60_000])
    now = 20_000
    expect([rate.take(), rate.nextMs]).toEqual([false, 10_000])
    now = 30_000
    expect([rate.left, rate.nextMs, rate.take(), rate.take()]).toEqual([1, 0, true, false])
    now = 10_000_000
    expect([rate.left, rate.fullMs]).toEqual([2, 0])
  })

  it.each([
    [0, '0ms'],
    [19.2, '20ms'],
    [1500, '1.5s'],
    [59_999, '59.999s'],
    [60_000, '1m0s'],
    [361_000, '6m1s'],
  ])('%i ms are written as %s', (ms, text) => expect(durationText(ms)).toBe(text))
})

describe('requests at once', () => {
  it('are counted for each key, until they have ended', async () => {
    const gateway = await start([{ key: 'one', concurrentRequests: 1 }, 'two'])
    // Its body is on its way as long as the test wants.
    const open = connect(gateway.port, '127.0.0.1')
    onTestFinished(() => void open.destroy())
    const type = 'Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 2'
    open.write(`POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: one\r\n${type}\r\n\r\n`)
    expect(String(await once(open, 'data'))).toContain('100 Continue')
    const refused = await list(gateway)
    expect(refused).toMatchObject({ status: 429, headers: { 'retry-after': '1' } })
    expect(json(refused)).toMatchObject({ error: { message: expect.stringContaining('"key 1" may have 1') } })
    expect((await list(gateway, 'two')).status).toBe(200)
    gateway.setKeys([{ key: 'one', concurrentRequests: 2 }])
    expect((await list(gateway)).status).toBe(200)
    gateway.setKeys([{ key: 'one', concurrentRequests: 1 }])
    open.write('{}')
    expect(String(await once(open, 'data'))).toContain('HTTP/1.1 400')
    await expect.poll(async () => (await list(gateway)).status).toBe(200)
  })
})

describe('keys', () => {
  it('may be given as their digests, which are no keys themselves', async () => {
    const gateway = await start([
      digest('one'),
      { key: digest('two').replace(/[a-f]/, (a) => a.toUpperCase()) },
    ])
    expect((await list(gateway, 'one')).status).toBe(200)
    expect((await list(gateway, 'two')).status).toBe(200)
    expect((await list(gateway, digest('one'))).status).toBe(401)
  })

  it('are replaced while it runs; those that stay have used what they had used', async () => {
    const limited = { key: 'one', requestsPerMinute: 2 }
    const gateway = await start([limited, 'two'])
    expect((await list(gateway)).status).toBe(200)
    gateway.setKeys(['three', limited])
    expect((await list(gateway, 'two')).status).toBe(401)
    expect((await list(gateway, 'three')).status).toBe(200)
    expect([(await list(gateway)).status, (await list(gateway)).status]).toEqual([200, 429])
    for (const wrong of [[], [''], ['x', { key: 'x' }]])
      expect(() => gateway.setKeys(wrong)).toThrow(TypeError)
    expect((await list(gateway, 'three')).status).toBe(200)
  })
})
