import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { enter, rpc, type Sent, send, sendRaw, startTester } from './visitor.js'

/** Every route, and some that are none. */
const routes: Sent[] = [
  { path: '/' },
  { path: '/index.html' },
  { path: '/icon.svg' },
  { path: '/assets/index.js' },
  { path: '/assets/index.css' },
  { path: `/?token=${'A'.repeat(43)}` },
  { path: '/events' },
  { path: '/wire?plugin=one' },
  { path: '/rpc', method: 'POST' },
  { path: '/rpc' },
  { path: '/events', method: 'POST' },
  { path: '/nothing' },
  { path: '/', method: 'PUT' },
  { path: '/', method: 'HEAD' },
  { path: '/', method: 'OPTIONS' },
]

const nameOf = ({ method = 'GET', path = '' }: Sent): string => `${method} ${path}`

describe.each(routes.map((route) => [nameOf(route), route] as const))('%s', (_name, route) => {
  it('asked for under another host’s name: 403, cookie or not', async () => {
    const { tester } = await startTester()
    const headers = await enter(tester)
    for (const host of [
      'evil.example',
      `evil.example:${tester.port}`,
      '127.0.0.1',
      `localhost:${tester.port}`,
    ])
      expect(await send(tester.port, { ...route, headers: { ...headers, host } })).toMatchObject({
        status: 403,
      })
  })

  it('asked for by a page from elsewhere: 403, cookie or not', async () => {
    const { tester } = await startTester()
    const headers = await enter(tester)
    for (const origin of ['https://evil.example', `http://127.0.0.1:${tester.port + 1}`, 'null', ''])
      expect(await send(tester.port, { ...route, headers: { ...headers, origin } })).toMatchObject({
        status: 403,
      })
  })

  it('asked for without the cookie, or with a wrong one: 401', async () => {
    const { tester } = await startTester()
    const { cookie = '', origin = '' } = await enter(tester)
    const [name] = cookie.split('=')
    // A token that is none is no way in either.
    for (const wrong of ['', `${name}=`, `${name}=x`, `other=${cookie}`])
      expect(await send(tester.port, { ...route, headers: { origin, cookie: wrong } })).toMatchObject({
        status: 401,
      })
  })

  it('comes with a strict policy, whatever the answer is', async () => {
    const { tester } = await startTester()
    for (const headers of [{}, await enter(tester), { host: 'evil.example' }]) {
      const { headers: received } = await send(tester.port, { ...route, headers })
      expect(received['content-security-policy']).toContain(
        "default-src 'none'; script-src 'self'; style-src 'self'",
      )
      expect(received['content-security-policy']).not.toContain('unsafe')
      expect(received).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
      })
      expect(received).not.toHaveProperty('access-control-allow-origin')
    }
  })
})

describe('the door of the Plugin Tester', () => {
  it('says what to do to a person who is not let in', async () => {
    const { tester } = await startTester()
    const { body, headers } = await send(tester.port, { path: '/' })
    expect(body).toMatch(/<h1>.*appfactory-host tester.*press Enter in that terminal/)
    expect(headers['content-security-policy']).toMatch(/style-src 'self' 'sha256-[\w+/]+=*';/)
  })

  it('refuses before it reads: the body is never waited for', async () => {
    const { tester } = await startTester()
    const endless = { path: '/rpc', method: 'POST' }
    const length = { 'content-length': 1_000_000 }
    const origin = `http://127.0.0.1:${tester.port}`
    const statuses = [
      await send(tester.port, { ...endless, headers: { ...length, host: 'evil.example' } }),
      await send(tester.port, { ...endless, headers: { ...length, origin: 'https://evil.example' } }),
      await send(tester.port, { ...endless, headers: { ...length, origin } }),
    ].map(({ status }) => status)
    expect(statuses).toEqual([403, 403, 401])
  })

  it('asks nobody for a body whom it refuses: 403 comes in place of 100 Continue', async () => {
    const { tester } = await startTester()
    const { cookie = '', origin = '' } = await enter(tester)
    const post = (host: string): string =>
      [
        'POST /rpc HTTP/1.1',
        `Host: ${host}`,
        `Cookie: ${cookie}`,
        `Origin: ${origin}`,
        'Expect: 100-continue',
        'Content-Length: 1000',
        '\r\n',
      ].join('\r\n')
    expect(await sendRaw(tester.port, post('evil.example'), /HTTP/)).toMatch(/^HTTP\/1\.1 403/)
    expect(await sendRaw(tester.port, post(`127.0.0.1:${tester.port}`), /HTTP/)).toMatch(/^HTTP\/1\.1 100/)
  })

  it('refuses a request under two names of hosts', async () => {
    const { tester } = await startTester()
    const { cookie = '' } = await enter(tester)
    const own = `127.0.0.1:${tester.port}`
    for (const other of ['evil.example', own]) {
      const text = `GET / HTTP/1.1\r\nHost: ${own}\r\nHost: ${other}\r\nCookie: ${cookie}\r\n\r\n`
      expect(await sendRaw(tester.port, text, /HTTP/)).toMatch(/^HTTP\/1\.1 40[03]/)
    }
  })

  it('opens to a token for an hour', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const { tester } = await startTester()
    const [late, inTime] = [tester.issueUrl(), tester.issueUrl()].map((url) => `/${new URL(url).search}`)
    vi.advanceTimersByTime(59 * 60_000)
    expect(await send(tester.port, { path: inTime ?? '' })).toMatchObject({ status: 200 })
    vi.advanceTimersByTime(2 * 60_000)
    expect(await send(tester.port, { path: late ?? '' })).toMatchObject({ status: 401 })
  })

  it('refuses a change that names no origin', async () => {
    const { tester } = await startTester()
    const { cookie = '' } = await enter(tester)
    expect(await send(tester.port, { path: '/rpc', method: 'POST', headers: { cookie } })).toMatchObject({
      status: 403,
    })
  })

  it('refuses what another site embeds or fetches, but not a link that a person follows', async () => {
    const { tester } = await startTester()
    const { cookie = '' } = await enter(tester)
    const site = { cookie, 'sec-fetch-site': 'cross-site' }
    expect(await send(tester.port, { path: '/events', headers: site })).toMatchObject({ status: 403 })
    for (const destination of ['iframe', 'empty', 'image', 'script', 'object'])
      expect(
        await send(tester.port, { path: '/', headers: { ...site, 'sec-fetch-dest': destination } }),
      ).toMatchObject({ status: 403 })
    const link = { ...site, 'sec-fetch-dest': 'document' }
    expect(await send(tester.port, { path: '/', headers: link })).toMatchObject({ status: 200 })
  })

  it('lets one browser in for each URL; the token is of 32 bytes and worth nothing afterwards', async () => {
    const { tester } = await startTester()
    const { pathname, search, searchParams } = new URL(tester.issueUrl())
    expect(Buffer.from(searchParams.get('token') ?? '', 'base64url')).toHaveLength(32)
    const path = `${pathname}${search}`
    const first = await send(tester.port, { path })
    expect(first.headers['set-cookie']?.[0]).toMatch(
      /^appfactory_tester_\d+=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/$/,
    )
    expect(first.body).not.toContain(searchParams.get('token'))
    expect(await send(tester.port, { path })).toMatchObject({
      status: 401,
      headers: expect.not.objectContaining({ 'set-cookie': expect.anything() }),
    })
    expect(await send(tester.port, { path: `/?token=${'A'.repeat(43)}` })).toMatchObject({ status: 401 })
    const { pathname: another, search: token } = new URL(tester.issueUrl())
    expect(await send(tester.port, { path: `${another}${token}` })).toMatchObject({ status: 200 })
  })

  it('does not take a token of a page from elsewhere', async () => {
    const { tester } = await startTester()
    const { search } = new URL(tester.issueUrl())
    const headers = { origin: 'https://evil.example' }
    expect(await send(tester.port, { path: `/${search}`, headers })).toMatchObject({ status: 403 })
    expect(await send(tester.port, { path: `/${search}` })).toMatchObject({ status: 200 })
  })

  it('listens on the loopback interface only, and serves no file beside its page', async () => {
    const { tester } = await startTester()
    const headers = await enter(tester)
    for (const path of [
      '/../../package.json',
      '/..%2f..%2fpackage.json',
      '/assets/../../serve.js',
      '//etc/passwd',
    ])
      expect(await send(tester.port, { path, headers })).toMatchObject({ status: 404 })
    await expect(fetch(`http://127.0.0.2:${tester.port}/`)).rejects.toThrow()
    expect(await send(tester.port, { path: '/', headers })).toMatchObject({ status: 200 })
  })
})

describe('what a page may ask for', () => {
  it.each([
    ['plugin/load', { name: '../elsewhere/outside' }, -32000],
    ['plugin/load', { name: 'outside' }, -32000],
    ['plugin/load', { name: 'one', config: { $env: ['SECRET'] } }, -32602],
    ['plugin/swap', { old: 'one', new: './plugins/two' }, -32602],
    ['plugin/swap', { old: 'one', new_plugin_path: 'plugins/two' }, -32602],
    ['plugin/describe', { name: '/etc' }, -32000],
    ['system/discover', { paths: ['/etc'] }, -32602],
    ['checks/run', { plugin: '../elsewhere/outside' }, -32602],
    ['checks/run', { plugin: 'one', config: { $env: ['SECRET'] } }, -32602],
    ['load/run', { plugin: '../one', method: 'x', callers: 1, seconds: 1 }, -32602],
    ['load/run', { plugin: 'one', method: 'x', callers: 100_000, seconds: 1 }, -32602],
    ['shutdown', {}, -32601],
    ['events/subscribe', {}, -32601],
    ['tts/synthesize', { text: 'x' }, -32601],
    ['__proto__', {}, -32601],
  ])('%s %j: %i, and the tester goes on', async (method, params, code) => {
    const { tester, host } = await startTester()
    const headers = await enter(tester)
    expect(await rpc(tester, headers, method, params)).toMatchObject([{ id: 1, error: { code } }])
    expect(host.status().pluginsLoaded).toBe(0)
    expect(await rpc(tester, headers, 'status', {})).toMatchObject([{ result: { plugins_loaded: 0 } }])
  })

  it('is at most 64 MiB, and its length is known', async () => {
    const { tester } = await startTester()
    const headers = await enter(tester)
    const route = { path: '/rpc', method: 'POST' }
    const tooLong = { ...headers, 'content-length': String(65 * 1024 * 1024) }
    expect(await send(tester.port, { ...route, headers: tooLong })).toMatchObject({ status: 413 })
    const chunked = { ...headers, 'transfer-encoding': 'chunked' }
    expect(await send(tester.port, { ...route, headers: chunked, body: '{}' })).toMatchObject({ status: 413 })
  })
})
