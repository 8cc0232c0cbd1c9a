import { request } from 'node:http'
import type { PluginHost } from '@appfactory/host'
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, serveGateway } from '../src/index.js'
import { routes } from '../src/routes.js'
import { randomOf } from './random.js'
import { type Answer, eventsIn, json, post, send, serve, startHost } from './visitor.js'

let host: PluginHost
let gateway: Gateway
beforeAll(async () => {
  host = await startHost(['own_things', 'tool_llm', 'tone_tts', 'echo_stt'], {
    restart: { firstDelayMs: 1, maxCrashes: 100 },
  })
  gateway = await serveGateway(host, { port: 0 })
})
afterAll(async () => {
  await gateway.close()
  await host.close({ force: true })
})

const things = '/v1/plugins/own_things'

function call(method: string, args: unknown, accept?: string): Promise<Answer> {
  return post(gateway.port, `${things}/${method}`, args, accept === undefined ? {} : { accept })
}

/** Posts a form as browsers and curl do. */
async function postForm(
  path: string,
  parts: readonly (readonly [name: string, value: string | Blob])[],
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const body = new FormData()
  for (const [name, value] of parts) body.append(name, value)
  return fetch(`http://127.0.0.1:${gateway.port}${path}`, { method: 'POST', body, headers })
}

describe('GET /v1/plugins', () => {
  it('lists what is loaded, without paths', async () => {
    const answer = await send(gateway.port, { path: '/v1/plugins' })
    const { plugins } = json(answer) as { plugins: { name: string }[] }
    expect(plugins.map(({ name }) => name).sort()).toEqual(['echo_stt', 'own_things', 'tone_tts', 'tool_llm'])
    expect(plugins.find(({ name }) => name === 'own_things')).toEqual({
      name: 'own_things',
      version: '1.2.3',
      contract: 'things',
      display_name: null,
      description: 'Does things of its own',
      author: 'Test',
      status: 'READY',
      capabilities: expect.arrayContaining(['echo']),
    })
    expect(answer.body).not.toContain('own_things/')
  })

  it('shows one with the schemas of its methods, and no configuration', async () => {
    const answer = await send(gateway.port, { path: things })
    expect(json(answer)).toMatchObject({
      name: 'own_things',
      contract: { name: 'things', version: '1.0.0' },
      methods: expect.arrayContaining([
        {
          name: 'reverse',
          description: 'Reverses bytes.',
          kind: 'call',
          idempotent: true,
          args: expect.objectContaining({ required: ['data_b64'] }),
          result: expect.any(Object),
          piece: null,
        },
      ]),
    })
    expect(answer.body).not.toMatch(/hidden|index\.js/)
  })

  it('shows another contract when another plugin has taken its place', async () => {
    const other = await startHost(['own_things'])
    const { port } = await serve(other)
    expect(json(await send(port, { path: things }))).toMatchObject({ version: '1.2.3' })
    await other.unload('own_things')
    expect(await send(port, { path: things })).toMatchObject({ status: 404 })
    expect(await post(port, `${things}/nothing`, {})).toMatchObject({ status: 404 })
    // Nobody starts a plugin by asking for it.
    expect(other.status().pluginsLoaded).toBe(0)
    await other.close()
  })
})

describe('POST /v1/plugins/PLUGIN/METHOD', () => {
  it('answers with the result', async () => {
    const args = { text: 'x', count: 3, tags: ['a'], either: { name: 'y' } }
    expect(json(await call('echo', args))).toEqual(args)
    const tree = { name: 'a', children: [{ name: 'b', children: [] }] }
    expect(json(await call('depth', { root: tree }))).toEqual({
      depth: 2,
      deepest: { name: 'b', children: [] },
    })
    expect(await call('nothing', {})).toMatchObject({ status: 200, body: 'null' })
  })

  it('takes no body as no arguments', async () => {
    const answer = await send(gateway.port, { method: 'POST', path: `${things}/nothing` })
    expect(answer).toMatchObject({ status: 200, body: 'null' })
  })

  it('takes and gives bytes as base64', async () => {
    const data = Buffer.from('abc')
    const answer = await call('reverse', { data_b64: data.toString('base64') })
    expect(json(answer)).toEqual({ data_b64: Buffer.from('cba').toString('base64'), length: 3 })
  })

  it('takes files, longer than any JSON, and gives bytes as they are', async () => {
    const data = Buffer.alloc(9 * 1024 * 1024, 'ab')
    const answer = await postForm(`${things}/reverse`, [['data', new Blob([data])]], {
      accept: 'application/octet-stream',
    })
    expect(answer.headers.get('content-type')).toBe('application/octet-stream')
    expect(Buffer.from(await answer.arrayBuffer()).equals(Buffer.alloc(data.length, 'ba'))).toBe(true)
  })

  it('tells which sound it answers with', async () => {
    const path = '/v1/plugins/tone_tts/synthesize_stream'
    const answer = await post(gateway.port, path, { text: 'x' }, { accept: 'audio/wav, */*;q=0.1' })
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'audio/wav' } })
    expect(answer.body).toMatch(/^RIFF/)
  })

  it('makes of the fields of a form what the method takes', async () => {
    const answer = await postForm(`${things}/echo`, [
      ['text', '7'],
      ['count', '7'],
      ['flag', 'true'],
      ['tags[]', '1'],
      ['tags[]', 'b'],
      ['either', '5'],
    ])
    expect(await answer.json()).toEqual({ text: '7', count: 7, flag: true, tags: ['1', 'b'], either: '5' })
    const more = await postForm(`${things}/echo`, [
      ['text', ''],
      ['tags', '["a"]'],
      ['either', '{"name":"x"}'],
    ])
    expect(await more.json()).toEqual({ text: '', tags: ['a'], either: { name: 'x' } })
  })

  it('streams pieces as events, or answers with all of them', async () => {
    const events = await call('count', { up_to: 3 }, 'text/event-stream')
    expect(events.headers['content-type']).toBe('text/event-stream; charset=utf-8')
    expect(eventsIn(events)).toEqual(['{"number":1}', '{"number":2}', '{"number":3}', '[DONE]'])
    expect((await call('count', { up_to: 2 })).body).toBe('[{"number":1},{"number":2}]')
    // As clients say that take both.
    const both = await call('count', { up_to: 1 }, 'application/json, text/event-stream')
    expect(both.body).toBe('[{"number":1}]')
  })

  it('ends a stream that fails with an error, one that fails at once with its status', async () => {
    const late = await call('count', { up_to: 3, fail_at: 2 }, 'text/event-stream')
    expect(eventsIn(late)).toEqual(['{"number":1}', expect.stringContaining('"code":"rate_limit_exceeded"')])
    expect(await call('count', { up_to: 3, fail_at: 1 }, 'text/event-stream')).toMatchObject({ status: 429 })
  })

  it('cancels the call of a client that goes', async () => {
    const before = Number((await call('aborts', {})).body)
    const sent = request({ port: gateway.port, host: '127.0.0.1', method: 'POST', path: `${things}/hang` })
    sent.on('error', () => {}).end()
    await expect.poll(async () => (await host.health('own_things')).details).toMatchObject({ waiting: 1 })
    sent.destroy()
    await expect.poll(async () => Number((await call('aborts', {})).body)).toBe(before + 1)
  })

  it.each([
    ['echo', { text: 5 }, 400, 'text', 'invalid_value'],
    ['echo', {}, 400, 'text', 'invalid_value'],
    ['echo', { text: 'x', format: 'x' }, 400, 'format', 'invalid_value'],
    ['reverse', { data_b64: '*' }, 400, 'data_b64', 'invalid_value'],
    ['reverse', { data_b64: { $input: true } }, 400, 'data_b64', 'invalid_value'],
    ['echo', { text: { $input: true } }, 400, 'text', 'invalid_value'],
    ['echo', [], 400, null, 'invalid_json'],
    ['echo', '{', 400, null, 'invalid_json'],
    ['echo', '{"text":"x","__proto__":{}}', 400, null, 'invalid_json'],
    ['no_such', {}, 404, null, 'method_not_found'],
    ['initialize', {}, 404, null, 'method_not_found'],
    ['fail', { code: 'RESOURCE_EXHAUSTED' }, 429, null, 'rate_limit_exceeded'],
    ['fail', { code: 4242 }, 500, null, 'server_error'],
    ['fail', {}, 500, null, 'internal_error'],
  ])('%s %j: %i at %s, %s', async (method, args, status, param, code) => {
    const answer = await call(method, args)
    expect(answer.status).toBe(status)
    expect(json(answer)).toMatchObject({ error: { param, code, message: expect.any(String) } })
    expect(answer.body).not.toMatch(/secret|plugins[/\\]own/)
  })

  it.each([
    [[['text', new Blob(['x'])]], 'text'],
    [
      [
        ['data', new Blob(['x'])],
        ['data', new Blob(['y'])],
      ],
      'data',
    ],
    [[['__proto__', 'x']], '__proto__'],
    [
      [
        ['other', 'x'],
        ['other', 'y'],
      ],
      'other',
    ],
  ] as const)('a form with %j: 400 at %s', async (parts, param) => {
    const answer = await postForm(`${things}/reverse`, parts)
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ error: { param } })
  })

  it.each([
    ['GET', `${things}/echo`, 405],
    ['POST', things, 405],
    ['GET', '/v1/plugins/no_such', 404],
    ['GET', '/v1/plugins/wave_tts', 404],
    ['GET', '/v1/plugins/..%2f..%2fetc', 404],
    ['GET', '/v1/plugins/%00', 404],
    ['POST', `${things}/echo/more`, 404],
    ['POST', `${things}/load`, 404],
  ])('%s %s: %i', async (method, path, status) => {
    expect(await send(gateway.port, { method, path })).toMatchObject({ status })
  })

  it.each([
    ['echo', 'text/event-stream'],
    ['echo', 'audio/wav'],
    ['count', 'text/html'],
    ['count', 'application/json;q=0'],
  ])('%s as %s: 406, and it is not called', async (method, accept) => {
    const answer = await call(method, { text: 'x' }, accept)
    expect(answer.status).toBe(406)
    expect(json(answer)).toMatchObject({ error: { code: 'not_acceptable' } })
  })

  it('needs a key like all others', async () => {
    const { port } = await serve(host, { keys: ['one'] })
    for (const path of ['/v1/plugins', things, '/v1/openapi.json'])
      expect(await send(port, { path })).toMatchObject({ status: 401 })
    expect(await post(port, `${things}/echo`, { text: 'x' })).toMatchObject({ status: 401 })
  })

  it('is not there without the option, and neither is its description', async () => {
    const { port } = await serve(host, { openaiOnly: true })
    for (const path of ['/v1/plugins', things, '/v1/openapi.json'])
      expect(await send(port, { path })).toMatchObject({ status: 404 })
    expect(await post(port, `${things}/echo`, { text: 'x' })).toMatchObject({ status: 404 })
  })
})

type Schema = { [keyword: string]: unknown }

interface Document {
  paths: Record<string, Record<string, { requestBody?: { content: Record<string, { schema: Schema }> } }>>
  components: { schemas: Record<string, Schema> }
}

async function documentOf(port: number): Promise<Document> {
  return json(await send(port, { path: '/openapi.json' })) as object as Document
}

describe('GET /openapi.json', () => {
  it('is OpenAPI 3.1, as others see it', async () => {
    const validator = new Validator()
    for (const { port } of [gateway, await serve(host, { keys: ['one'], publicListings: true })]) {
      const headers = { authorization: 'Bearer one' }
      const answer = await send(port, { path: '/openapi.json', headers })
      expect(await validator.validate(json(answer))).toEqual({ valid: true })
      expect(validator.version).toBe('3.1')
    }
  })

  it('has all routes and all methods, each by a name of its own', async () => {
    const { paths } = await documentOf((await serve(host, { mcp: true, metrics: true })).port)
    const named = routes.map(({ path }) =>
      path.replace('*', path.startsWith('/models') ? '{model}' : '{response}'),
    )
    const generic = '/plugins/{plugin}/{method}'
    for (const path of named) if (path !== generic) expect(paths).toHaveProperty([path])
    for (const method of ['echo', 'depth', 'count'])
      expect(paths).toHaveProperty([`/plugins/own_things/${method}`, 'post'])
    const ids = Object.values(paths).flatMap((path) =>
      Object.values(path).map((each) => Reflect.get(each, 'operationId')),
    )
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('has null for what may be left out, and for nothing else', async () => {
    const { paths } = await documentOf(gateway.port)
    const echo = paths['/plugins/own_things/echo']?.['post']?.requestBody?.content['application/json']?.schema
    expect(echo?.properties).toMatchObject({
      text: { type: 'string' },
      count: { anyOf: [{ type: 'integer' }, { type: 'null' }] },
    })
    expect(await call('echo', { text: 'x', count: null })).toMatchObject({ status: 200 })
    expect(await call('echo', { text: null })).toMatchObject({ status: 400 })
  })

  it('refers to nothing that is not there', async () => {
    const document = await documentOf(gateway.port)
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)]
    expect(references.some(([, place]) => place?.includes('own_things__depth.args/$defs'))).toBe(true)
    for (const [, place = ''] of references) expect(document).toHaveProperty(place.split('/'))
  })
})

describe('random arguments, by the schemas in the document', () => {
  it.each([1, 2])('of seed %i: each answer has the right form, and no plugin fails', async (seed) => {
    const document = await documentOf(gateway.port)
    const random = randomOf(seed)
    const harmless = Object.entries(document.paths).filter(([path]) =>
      /own_things\/(?!fail|hang|exit)/.test(path),
    )
    expect(harmless.length).toBeGreaterThan(4)
    const requests = Array.from({ length: 80 }, () => {
      const [path = '', { post: operation } = {}] = harmless[Math.floor(random() * harmless.length)] ?? []
      const schema = operation?.requestBody?.content['application/json']?.schema ?? {}
      return { path, args: valueFor(schema, document, random, 0) }
    })
    const answers = await Promise.all(
      requests.map(({ path, args }) => post(gateway.port, `/v1${path}`, JSON.stringify(args) ?? 'null')),
    )
    for (const [index, { status, body }] of answers.entries()) {
      expect([200, 400, 429], `${JSON.stringify(requests[index])}: ${body}`).toContain(status)
      if (status !== 200) expect(JSON.parse(body)).toHaveProperty('error.message')
    }
    expect(new Set(answers.map(({ status }) => status)).size).toBeGreaterThan(1)
    expect(await call('nothing', {})).toMatchObject({ status: 200 })
  })
})

const strange: readonly unknown[] = [null, true, 0, -1, 1e308, '', '\u0000', [], {}, [null], 'x'.repeat(1000)]

/** A value that fits a schema; now and then, one that does not. */
function valueFor(schema: Schema, document: Document, random: () => number, depth: number): unknown {
  const pick = <Item>(items: readonly Item[]): Item | undefined => items[Math.floor(random() * items.length)]
  if (random() < 0.05 || depth > 6) return pick(strange)
  const { type, properties = {}, items, anyOf, $ref: reference } = schema
  const inner = (each: unknown): unknown => valueFor(each as Schema, document, random, depth + 1)
  if (typeof reference === 'string') return inner(atPlace(document, reference))
  if (Array.isArray(anyOf)) return inner(pick(anyOf))
  const required = Array.isArray(schema['required']) ? schema['required'] : []
  if (type === 'object')
    return Object.fromEntries(
      Object.entries(properties as object)
        .filter(([name]) => required.includes(name) || random() < 0.5)
        .map(([name, each]) => [name, inner(each)]),
    )
  if (type === 'array') return Array.from({ length: Math.floor(random() * 3) }, () => inner(items ?? {}))
  if (type === 'integer') return Math.floor(random() * 12)
  if (type === 'boolean') return random() < 0.5
  return schema['contentEncoding'] ? Buffer.from(String(random())).toString('base64') : String(random())
}

function atPlace(document: object, reference: string): unknown {
  return reference
    .split('/')
    .slice(1)
    .reduce<unknown>((place, key) => Reflect.get(Object(place), key), document)
}
