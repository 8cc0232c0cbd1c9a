import { PluginHost } from '@appfactory/host'
import { describe, expect, it, onTestFinished } from 'vitest'
import { gatewayHandler, type ServeOptions, serveGateway } from '../src/index.js'
import { routes } from '../src/routes.js'
import { json, post, type Sent, send, sendRaw, serve } from './visitor.js'

/** A gateway in front of a host without plugins. */
async function start(options: ServeOptions = {}): Promise<number> {
  const host = new PluginHost({ pluginsDir: import.meta.dirname, projectDir: false })
  onTestFinished(() => host.close())
  return (await serve(host, options)).port
}

const listing: Sent = { path: '/v1/models' }
const errorShape = {
  message: expect.any(String),
  type: expect.any(String),
  param: null,
  code: expect.any(String),
}

describe('the name that a gateway is addressed by', () => {
  it.each([
    'evil.example',
    'evil.example:8080',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '10.0.0.1',
    '[::2]',
    'user@127.0.0.1',
  ])('Host: %s is refused, with and without a page', async (host) => {
    const port = await start({ cors: ['https://app.example'] })
    for (const headers of [{ host }, { host, origin: 'https://app.example' }]) {
      const answer = await send(port, { ...listing, headers })
      expect(answer.status).toBe(403)
      expect(json(answer)).toEqual({ error: { ...errorShape, code: 'host_not_allowed' } })
    }
  })

  it.each(['127.0.0.1', 'localhost:1', 'LOCALHOST', '[::1]:8080', '127.0.0.1:80'])(
    'Host: %s is this machine',
    async (host) => {
      expect(await send(await start(), { ...listing, headers: { host } })).toMatchObject({ status: 200 })
    },
  )

  it('may be another one that is allowed', async () => {
    const port = await start({ hostNames: ['Speech.example'] })
    const headers = { host: 'speech.EXAMPLE:443' }
    expect(await send(port, { ...listing, headers })).toMatchObject({ status: 200 })
  })

  it.each([
    ['http://localhost/v1/models?limit=1', 200],
    ['HTTP://127.0.0.1:80//v1/models/', 200],
    ['http://localhost', 200],
    ['http://localhost?q', 200],
    ['http://evil.example/v1/models', 403],
    ['http://user@localhost/v1/models', 403],
    ['http:///v1/models', 403],
    ['ftp://localhost/v1/models', 404],
  ])('%s, as it is sent to a proxy: %i', async (path, status) => {
    expect(await send(await start(), { ...listing, path })).toMatchObject({ status })
  })

  it('must stand there once: neither none nor two', async () => {
    const port = await start()
    const lines = [
      '',
      'Host:\r\n',
      'Host: 127.0.0.1\r\nHost: 127.0.0.1\r\n',
      'Host: 127.0.0.1\r\nHost: evil.example\r\n',
    ]
    for (const hosts of lines) {
      const text = `GET /v1/models HTTP/1.0\r\n${hosts}\r\n`
      expect(await sendRaw(port, text, /\r\n\r\n/)).toMatch(/^HTTP\/1\.1 40[03]/)
    }
  })

  it('holds on other addresses too', async () => {
    const port = await start({ address: '0.0.0.0', keys: ['k'] })
    const headers = { authorization: 'Bearer k', host: 'evil.example' }
    expect(await send(port, { ...listing, headers })).toMatchObject({ status: 403 })
  })
})

it('a certificate that is none is refused, and not shown', async () => {
  const host = new PluginHost({ pluginsDir: import.meta.dirname, projectDir: false })
  onTestFinished(() => host.close())
  const tls = { cert: 'secret', key: 'secret' }
  await expect(serveGateway(host, { port: 0, tls })).rejects.toThrow(
    /^tls \(--tls-cert, --tls-key\): (?!.*secret)/,
  )
})

describe('pages', () => {
  it.each(['https://evil.example', 'null', '', 'http://127.0.0.1', 'https://app.example:444'])(
    'of %j may not ask, and are not told more',
    async (origin) => {
      const port = await start({ cors: ['https://app.example'] })
      const answer = await send(port, { ...listing, headers: { origin } })
      expect(answer.status).toBe(403)
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin')
    },
  )

  it('of another site may not embed anything', async () => {
    const headers = { 'sec-fetch-site': 'cross-site' }
    expect(await send(await start(), { ...listing, headers })).toMatchObject({ status: 403 })
  })

  it('are refused before the body is there', async () => {
    const headers = { origin: 'https://evil.example', 'content-length': 100 }
    const refused = await send(await start(), { method: 'POST', path: '/v1/chat/completions', headers })
    expect(refused.status).toBe(403)
  })

  it('that are allowed may read the answer, and ask first without a key', async () => {
    const origin = 'https://app.example'
    const port = await start({ cors: [origin], keys: ['k'] })
    const preflight = await send(port, {
      method: 'OPTIONS',
      path: '/v1/chat/completions',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'x-a, x-b',
      },
    })
    expect(preflight).toMatchObject({
      status: 204,
      headers: {
        'access-control-allow-origin': origin,
        'access-control-allow-methods': 'GET, POST, DELETE',
        'access-control-allow-headers': 'x-a, x-b',
        vary: 'origin',
      },
    })
    const headers = { origin, authorization: 'Bearer k', 'sec-fetch-site': 'cross-site' }
    const answer = await send(port, { ...listing, headers })
    expect(answer).toMatchObject({ status: 200, headers: { 'access-control-allow-origin': origin } })
    // Without the key, the page may read why.
    const refused = await send(port, { ...listing, headers: { origin } })
    expect(refused).toMatchObject({ status: 401, headers: { 'access-control-allow-origin': origin } })
  })

  it('get no answer to a preflight where none is allowed', async () => {
    const headers = { origin: 'https://app.example', 'access-control-request-method': 'POST' }
    expect(await send(await start(), { method: 'OPTIONS', headers })).toMatchObject({ status: 403 })
  })
})

describe('keys', () => {
  it('are needed by nobody where there are none', async () => {
    const port = await start()
    for (const authorization of ['Bearer undefined', 'Bearer ', 'Basic x'])
      expect(await send(port, { ...listing, headers: { authorization } })).toMatchObject({ status: 200 })
  })

  it.each([
    {},
    { authorization: 'Bearer ' },
    { authorization: 'Bearer wrong' },
    { authorization: 'one' },
    { authorization: 'Basic one' },
    { 'x-api-key': '' },
    { 'x-api-key': 'one ' + 'two' },
  ])('%j is none of them', async (headers) => {
    const answer = await send(await start({ keys: ['one', 'two'] }), { path: '/v1/models?key=one', headers })
    expect(answer).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } })
    expect(json(answer)).toEqual({ error: { ...errorShape, code: 'invalid_api_key' } })
  })

  it.each([
    { authorization: 'Bearer two' },
    { authorization: 'bearer one' },
    { 'x-api-key': 'one' },
    { authorization: 'Bearer wrong', 'x-api-key': 'two' },
  ])('%j is one of them', async (headers) => {
    const port = await start({ keys: ['one', 'two'] })
    expect(await send(port, { ...listing, headers })).toMatchObject({ status: 200 })
  })

  it('are asked for on every route but health, also on those that there are not', async () => {
    const port = await start({ keys: ['one'] })
    const open = await Promise.all(
      routes.map(async ({ method, path }) => {
        const { status } = await send(port, { method, path: `/v1${path.replace(/\*|\{\w+\}/g, 'x')}` })
        return status === 401 ? [] : [path]
      }),
    )
    expect(open.flat()).toEqual(['/', '/health'])
    expect(await send(port, { path: '/nothing' })).toMatchObject({ status: 401 })
  })

  it('are not asked for lists of voices where these are public', async () => {
    const port = await start({ keys: ['one'], publicListings: true })
    for (const path of ['/v1/audio/voices', '/v1/audio/models', '/v1/voices'])
      expect(await send(port, { path })).toMatchObject({ status: 200 })
    expect(await send(port, listing)).toMatchObject({ status: 401 })
  })

  it('decide whether a body is asked for at all', async () => {
    const port = await start({ keys: ['one'] })
    const text = (key: string, length: number): string =>
      `POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer ${key}\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`
    expect(await sendRaw(port, text('no', 10), /HTTP/)).toMatch(/^HTTP\/1\.1 401/)
    expect(await sendRaw(port, text('one', 10), /HTTP/)).toMatch(/^HTTP\/1\.1 100/)
  })
})

describe('routes', () => {
  it('are these, and none that manages plugins', async () => {
    expect(routes.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /',
      'GET /health',
      'GET /models',
      'GET /models/*',
      'POST /chat/completions',
      'POST /completions',
      'POST /embeddings',
      'POST /responses',
      'GET /responses/{response}',
      'DELETE /responses/{response}',
      'POST /responses/{response}/cancel',
      'GET /responses/{response}/input_items',
      'POST /audio/speech',
      'POST /audio/transcriptions',
      'GET /realtime',
      'GET /audio/voices',
      'GET /voices',
      'GET /audio/models',
      'GET /plugins',
      'GET /plugins/{plugin}',
      'POST /plugins/{plugin}/{method}',
      'GET /openapi.json',
      'GET /mcp',
      'POST /mcp',
      'DELETE /mcp',
      'GET /metrics',
    ])
  })

  it.each(['/v1/models', '/models', '/v1/v1/models', '//v1//models/', '/v1/models?x=1', '/v1/models/'])(
    'GET %s lists models, without being sent elsewhere',
    async (path) => {
      const answer = await send(await start(), { path })
      expect(answer.status).toBe(200)
      expect(json(answer)).toEqual({ object: 'list', data: [] })
    },
  )

  it.each([
    ['GET', '/v2/models', 404],
    ['GET', '/v1/models/%2e%2e', 404],
    ['GET', '/v1/models/%ff', 404],
    ['GET', '/v1/models/../../etc/passwd', 404],
    ['GET', '/v1/plugin/load', 404],
    ['POST', '/v1/models', 405],
    ['PUT', '/v1/models', 405],
    ['TRACE', '/v1/models', 405],
    ['DELETE', '/v1/models/x', 405],
    ['GET', '/v1/chat/completions', 405],
    ['HEAD', '/v1/models', 200],
    ['HEAD', '/v1/nothing', 404],
  ])('%s %s: %i', async (method, path, status) => {
    const answer = await send(await start(), { method, path })
    expect(answer.status).toBe(status)
    if (status === 405) expect(answer.headers.allow).toMatch(/^(GET|POST)$/)
    if (method === 'HEAD') expect(answer.body).toBe('')
    else expect(json(answer)).toMatchObject({ error: { type: 'invalid_request_error' } })
  })

  it('GET /health tells nothing but that it is there', async () => {
    const port = await start({ keys: ['one'] })
    for (const path of ['/health', '/', '/v1/health', '/v1'])
      expect(await send(port, { path })).toMatchObject({ status: 200, body: '{"status":"ok"}' })
  })
})

describe('bodies', () => {
  const path = '/v1/completions'
  const type = { 'content-type': 'application/json' }

  it.each([
    ['nothing', ''],
    ['no JSON', '{"model": x}'],
    ['an array', '[1]'],
    ['a number', '12'],
    ['NUL', '\u0000'],
    ['__proto__', '{"__proto__": {}}'],
    ['600 levels', `{"a":${'['.repeat(600)}${']'.repeat(600)}}`],
    ['1e999', '{"seed": 1e999}'],
    ['UTF-16', Buffer.from('{"model":"x"}', 'utf16le')],
    ['a byte that is no UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
  ])('of %s: 400 invalid_json', async (_what, body) => {
    const answer = await post(await start(), path, body)
    expect(answer.status).toBe(400)
    expect(json(answer)).toEqual({ error: { ...errorShape, code: 'invalid_json' } })
  })

  it('that are no JSON: it tells where', async () => {
    const answer = await post(await start(), path, '{\n  "model": x\n}')
    expect(answer.body).toContain('line 2, column 12')
  })

  it.each([
    [{}, 415],
    [{ 'content-type': 'text/plain' }, 415],
    [{ 'content-type': 'multipart/form-data; boundary=x' }, 415],
    [{ 'content-type': 'application/json; charset=utf-16' }, 415],
    [{ 'content-type': 'application/json; version=1; charset=latin1' }, 415],
    [{ 'content-type': 'text/plain; application/json' }, 415],
    [{ ...type, 'content-encoding': 'gzip' }, 415],
    [{ 'content-type': 'application/json;' }, 400],
    [{ 'content-type': 'application/json; odata=verbose; charset=utf-8' }, 400],
    [{ 'content-type': 'Application/JSON; charset="UTF-8"' }, 400],
    [{ ...type, 'content-encoding': 'identity' }, 400],
  ])('with %j: %i', async (headers, status) => {
    expect(await send(await start(), { method: 'POST', path, headers, body: '{}' })).toMatchObject({ status })
  })

  it('that are too long are not read, whether they say so or not', async () => {
    const port = await start({ limits: { maxBodyBytes: 1000 } })
    const tooLong = await send(port, { method: 'POST', path, headers: { ...type, 'content-length': 1001 } })
    expect(tooLong).toMatchObject({ status: 413, headers: { connection: 'close' } })
    expect(json(tooLong)).toEqual({ error: { ...errorShape, code: 'request_too_large' } })
    const chunk = `${(500).toString(16)}\r\n${'x'.repeat(500)}\r\n`
    const head = 'Host: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
    const chunked = await sendRaw(port, `POST ${path} HTTP/1.1\r\n${head}${chunk.repeat(3)}`, /\}\}/)
    expect(chunked).toMatch(/^HTTP\/1\.1 413/)
    expect(await post(port, path, 'x'.repeat(1000))).toMatchObject({ status: 400 })
  })

  it('that come too slowly, and headers too: 408', async () => {
    const port = await start({ limits: { slowBodyMs: 50, headersTimeoutMs: 50 } })
    const slow = await send(port, { method: 'POST', path, headers: { ...type, 'content-length': 10 } })
    expect(slow).toMatchObject({ status: 408, headers: { connection: 'close' } })
    expect(await sendRaw(port, 'GET / HTTP/1.1\r\nHost: loc', /\}\}/)).toMatch(/^HTTP\/1\.1 408/)
  })

  it('that end too early leave the gateway as it was', async () => {
    const port = await start()
    const text = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{`
    await sendRaw(port, text, /^$/)
    expect(await send(port, listing)).toMatchObject({ status: 200 })
  })

  it('with an error leave the connection usable', async () => {
    const port = await start()
    const one = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}`
    const two = 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n'
    expect(await sendRaw(port, `${one}${two}`, /"ok"/)).toMatch(/^HTTP\/1\.1 415[\s\S]*HTTP\/1\.1 200/)
  })

  it('of what is no HTTP: 400, and the next is served', async () => {
    const port = await start()
    expect(await sendRaw(port, 'nonsense\r\n\r\n', /\}\}/)).toMatch(
      /^HTTP\/1\.1 400[\s\S]*x-request-id: req_[\s\S]*"code":"invalid_http"/,
    )
    expect(await sendRaw(port, `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, /\}\}/)).toMatch(
      /^HTTP\/1\.1 431/,
    )
    expect(await send(port, listing)).toMatchObject({ status: 200 })
  })
})

describe('requests as nobody should send them', () => {
  const host = 'Host: localhost\r\n'
  const json = 'Content-Type: application/json\r\n'
  const form = 'Content-Type: multipart/form-data; boundary=x\r\n'
  const to = (path: string, head: string, body = ''): string =>
    `POST ${path} HTTP/1.1\r\n${host}${head}\r\n${body}`
  const chat = (head: string, body?: string): string => to('/v1/chat/completions', json + head, body)

  it.each([
    ['no Host', 'GET /v1/models HTTP/1.1\r\n\r\n', 403],
    ['no Host, in HTTP/1.0', 'GET /v1/models HTTP/1.0\r\n\r\n', 403],
    ['an empty Host', 'GET /v1/models HTTP/1.1\r\nHost:\r\n\r\n', 403],
    ['two Hosts', `GET /v1/models HTTP/1.1\r\n${host}${host}\r\n`, 403],
    ['HTTP/1.0', `GET /v1/models HTTP/1.0\r\n${host}\r\n`, 200],
    ['TLS', '\u0016\u0003\u0001\u0000\u0005', 400],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['the whole URL', `GET http://evil.example/v1/models HTTP/1.1\r\n${host}\r\n`, 403],
    ['OPTIONS *', `OPTIONS * HTTP/1.1\r\n${host}\r\n`, 404],
    [
      'an upgrade to HTTP/2',
      `GET /health HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`,
      200,
    ],
    ['a header without a name', `GET /health HTTP/1.1\r\n${host}: x\r\n\r\n`, 400],
    ['a header over two lines', `GET /health HTTP/1.1\r\n${host}X: a\r\n b\r\n\r\n`, 400],
    ['thousands of headers', `GET /health HTTP/1.1\r\n${host}${'aaaa: bbbb\r\n'.repeat(4000)}\r\n`, 431],
    ['a path with NUL', `GET /v1/models/%00 HTTP/1.1\r\n${host}\r\n`, 404],
    ['a path that is no UTF-8', `GET /v1/models/%ff%zz HTTP/1.1\r\n${host}\r\n`, 404],
    ['a negative length', chat('Content-Length: -1\r\n', '{}'), 400],
    ['two lengths', chat('Content-Length: 2\r\nContent-Length: 3\r\n', '{}'), 400],
    ['a length that is short', chat('Content-Length: 1\r\n', '{}'), 400],
    ['a length, and chunks', chat('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 400],
    ['chunks that are none', chat('Transfer-Encoding: chunked\r\n', 'zz\r\n{}\r\n0\r\n\r\n'), 400],
    ['chunks of gzip', chat('Transfer-Encoding: gzip, chunked\r\n', '2\r\n{}\r\n0\r\n\r\n'), 415],
    [
      'a form of gzip',
      to('/v1/audio/transcriptions', `${form}Content-Encoding: gzip\r\nContent-Length: 9\r\n`),
      415,
    ],
    ['a type of body too many', chat(`${json.replace('json', 'xml')}Content-Length: 2\r\n`, '{}'), 400],
    ['no body', chat(''), 400],
    ['an expectation of its own', chat('Expect: 200-ok\r\nContent-Length: 2\r\n', '{}'), 400],
    [
      'a body that is awaited, and too long',
      chat('Expect: 100-continue\r\nContent-Length: 9000000\r\n'),
      413,
    ],
    [
      'a file that is awaited, and too long',
      to('/v1/audio/transcriptions', `${form}Expect: 100-continue\r\nContent-Length: 90000000\r\n`),
      413,
    ],
    [
      'a body that is awaited, of another type',
      to('/v1/completions', 'Content-Type: text/plain\r\nExpect: 100-continue\r\nContent-Length: 9\r\n'),
      415,
    ],
    [
      'a form that is awaited, without a boundary',
      to(
        '/v1/audio/transcriptions',
        'Content-Type: multipart/form-data\r\nExpect: 100-continue\r\nContent-Length: 9\r\n',
      ),
      400,
    ],
  ])('%s: an answer in JSON, and the next is served', async (_what, text, status) => {
    const port = await start()
    const answer = await sendRaw(port, text, /\}/)
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
    expect(answer).toMatch(status === 200 ? /\r\n\r\n\{/ : /\r\n\r\n\{"error":\{"message":"/)
    expect(await send(port, listing)).toMatchObject({ status: 200 })
  })

  it('several at once are answered in order', async () => {
    const health = `GET /health HTTP/1.1\r\n${host}\r\n`
    const text = [health, chat('Content-Length: 2\r\n', '{}'), health, `PUT / HTTP/1.1\r\n${host}\r\n`].join(
      '',
    )
    const answers = await sendRaw(await start(), text, / 405 [\s\S]*\}\}/)
    expect(answers.match(/^HTTP\/1\.1 \d+|(?<=\})HTTP\/1\.1 \d+/gm)).toEqual([
      ...['HTTP/1.1 200', 'HTTP/1.1 400', 'HTTP/1.1 200', 'HTTP/1.1 405'],
    ])
  })

  it('that break off leave no connection behind', async () => {
    const port = await start({ limits: { headersTimeoutMs: 50, requestTimeoutMs: 200, slowBodyMs: 50 } })
    const parts = ['G', `GET / HTTP/1.1\r\n${host}X:`, chat('Content-Length: 9\r\n', '{')]
    const ends = await Promise.all(parts.map((text) => sendRaw(port, text)))
    for (const end of ends) expect(end).toMatch(/^HTTP\/1\.1 408 [\s\S]*"code":"timeout"/)
  })
})

describe('options', () => {
  it.each([
    [{ ports: 1 }, /no option "ports".*Did you mean port\?/],
    [{ port: -1 }, /port takes a whole number from 0 to 65535, not -1/],
    [{ maxTokens: 0 }, /maxTokens takes a whole number from 1 on, not 0/],
    [{ keepAlive: 'ping' }, /keepAlive takes comment, chunk or off, not/],
    [{ address: '0.0.0.0' }, /Others can reach 0\.0\.0\.0.*--key-file.*--allow-open/],
    [{ address: '::' }, /Others can reach ::/],
    [{ address: '::', keys: [] }, /Others can reach ::/],
    [{ keys: [''] }, /keys\[0\]\.key takes a text without spaces/],
    [{ keys: ['my-secret', { key: 'my-secret' }] }, /keys\[1\] and keys\[0\] are the same key/],
    [
      { keys: [{ key: 'my-secret', requestsPerMinute: 0 }] },
      /keys\[0\]\.requestsPerMinute takes a whole number/,
    ],
    [{ keys: [{ key: 'my-secret', contract: 'tts' }] }, /keys\[0\] has no option "contract".*mean contracts/],
    [{ keys: [{ key: 'sha256:my-secret' }] }, /keys\[0\]\.key takes .*64 hexadecimal digits/],
    [{ keys: [{ name: 'kitchen' }] }, /keys\[0\]\.key is missing/],
    [{ keys: 'my-secret' }, /keys takes an array/],
    [{ cors: ['*'] }, /cors takes .*origins/],
    [{ cors: ['https://app.example/'] }, /cors takes .*origins/],
    [{ models: { a: 1 } }, /models takes an object/],
    [{ models: { a: 'tts?voice=' } }, /models takes an object/],
    [{ models: { a: 'tts?speed=2' } }, /models takes an object/],
    [{ models: { a: 'tts,' } }, /models takes an object/],
    [{ models: { a: 'tts,llm,tts/other' } }, /models takes an object/],
    [{ voices: { alloy: [1] } }, /voices takes an object/],
    [{ limits: { maxBodyBytes: 0 } }, /limits\.maxBodyBytes takes a whole number above 0, not 0/],
    [{ limits: { maxBody: 1 } }, /limits has no option "maxBody"/],
  ])('%j: TypeError', async (options, message) => {
    const host = new PluginHost({ pluginsDir: import.meta.dirname, projectDir: false })
    onTestFinished(() => host.close())
    const error: unknown = await serveGateway(host, options as ServeOptions).catch(
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(TypeError)
    expect(String(error)).toMatch(message)
    expect(String(error)).not.toContain('my-secret')
    expect(host.listenerCount('status')).toBe(0)
  })

  it('that open it on purpose', async () => {
    expect(await send(await start({ address: '0.0.0.0', allowOpen: true }), listing)).toMatchObject({
      status: 200,
    })
  })

  it('of a handler have no port', () => {
    const host = new PluginHost({ pluginsDir: import.meta.dirname, projectDir: false })
    expect(() => gatewayHandler(host, { port: 1 } as object)).toThrow(
      /gatewayHandler\(\) has no option "port"/,
    )
  })
})
