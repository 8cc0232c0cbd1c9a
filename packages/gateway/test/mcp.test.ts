import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { PluginHost } from '@appfactory/host'
import { Client, type ClientOptions, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport, type StdioServerParameters } from '@modelcontextprotocol/client/stdio'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { temporaryFolder } from '../../host/test/fixtures/plugins.js'
import { type Gateway, serveGateway } from '../src/index.js'
import { json, post, send, serve, startHost } from './visitor.js'

const command = fileURLToPath(new URL('../../host/bin/appfactory-host.js', import.meta.url))
const plugins = fileURLToPath(new URL('plugins', import.meta.url))
const names = ['own_things', 'tone_tts', 'echo_stt', 'tool_llm']

const folder = temporaryFolder(afterAll)
const root = join(folder, 'shared')
mkdirSync(root)
writeFileSync(join(root, 'abc.bin'), 'abc')
writeFileSync(join(folder, 'secret.bin'), 'xyz')

let host: PluginHost
let gateway: Gateway
beforeAll(async () => {
  host = await startHost(names, { restart: { firstDelayMs: 1, maxCrashes: 100 } })
  gateway = await serveGateway(host, { port: 0, mcp: true, mcpRoot: root })
})
afterAll(async () => {
  await gateway.close()
  await host.close({ force: true })
})

function overHttp(): StreamableHTTPClientTransport {
  return new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${gateway.port}/mcp`))
}

function stdioParameters(): StdioServerParameters {
  const load = names.flatMap((name) => ['--load', name])
  const args = [command, 'mcp', '--plugins-dir', plugins, '--log-dir', '-', '--mcp-root', root, ...load]
  return { command: process.execPath, args, cwd: folder, stderr: 'ignore' }
}

function overStdio(): StdioClientTransport {
  return new StdioClientTransport(stdioParameters())
}

const ways = [
  ['HTTP, with a session', overHttp, 'legacy'],
  ['HTTP, each request by itself', overHttp, 'auto'],
  ['stdio', overStdio, 'legacy'],
] as const

describe.each(ways)('over %s', (way, transport, mode) => {
  let client: Client
  /** Called when the client hears of other tools. */
  let onChanged = (): void => {}
  beforeAll(async () => {
    const options: ClientOptions = {
      versionNegotiation: { mode },
      listChanged: { tools: { autoRefresh: false, debounceMs: 0, onChanged: () => onChanged() } },
    }
    client = new Client({ name: 'test', version: '1.0.0' }, options)
    await client.connect(transport())
  })
  afterAll(() => client.close())

  const call = (name: string, args: Record<string, unknown> = {}) =>
    client.callTool({ name: `own_things__${name}`, arguments: args })

  const aborts = async (): Promise<unknown> =>
    Reflect.get(Object((await call('aborts')).structuredContent), 'result')

  it('lists the methods of plugins as tools', async () => {
    const { tools } = await client.listTools()
    const byName = new Map(tools.map((tool) => [tool.name, tool]))
    for (const name of byName.keys()) expect(name).toMatch(/^[a-zA-Z0-9_-]{1,64}$/)
    expect(byName.get('own_things__reverse')).toMatchObject({
      description: 'Reverses bytes. Does things of its own',
      inputSchema: { type: 'object', properties: { data_b64: {}, data_file: { type: 'string' } } },
    })
    expect(byName.get('own_things__echo')).toMatchObject({ outputSchema: { type: 'object' } })
    expect([...byName.keys()]).toEqual(
      expect.arrayContaining(['tone_tts__get_voices', 'echo_stt__transcribe', 'tool_llm__stream_chat']),
    )
  })

  it('answers with the result, which the client checks by its schema', async () => {
    expect(await call('echo', { text: 'x', count: 2 })).toMatchObject({
      content: [{ type: 'text', text: '{"text":"x","count":2}' }],
      structuredContent: { text: 'x', count: 2 },
    })
    expect(await call('aborts')).toMatchObject({ structuredContent: { result: expect.any(Number) } })
    const tree = { name: 'a', children: [{ name: 'b', children: [] }] }
    expect(await call('depth', { root: tree })).toMatchObject({ structuredContent: { depth: 2 } })
    expect(await client.callTool({ name: 'tone_tts__get_voices', arguments: {} })).toMatchObject({
      structuredContent: { result: [{ id: 'low' }] },
    })
  })

  it('takes bytes as base64 or as a file, and gives them as content', async () => {
    const reversed = { type: 'resource', resource: { blob: Buffer.from('cba').toString('base64') } }
    for (const args of [{ data_b64: Buffer.from('abc').toString('base64') }, { data_file: 'abc.bin' }])
      expect(await call('reverse', args)).toMatchObject({
        content: [reversed, { type: 'text', text: '{"length":3}' }],
      })
  })

  it('gives sound as sound', async () => {
    const args = { text: 'one two' }
    const { content } = await client.callTool({ name: 'tone_tts__synthesize_stream', arguments: args })
    const sounds = content.filter(({ type }) => type === 'audio')
    expect(sounds).toHaveLength(2)
    expect(sounds[0]).toMatchObject({ mimeType: 'audio/wav', data: expect.stringMatching(/^UklGR/) })
  })

  it('tells the progress of a stream', async () => {
    const heard: { progress: number; message?: string | undefined }[] = []
    const args = { messages: [{ role: 'user', content: '/paced 20 10' }] }
    const result = await client.callTool(
      { name: 'tool_llm__stream_chat', arguments: args },
      { onprogress: (progress) => heard.push(progress) },
    )
    // This client forgets what has come just before the result.
    expect(heard.slice(0, 2)).toMatchObject([
      { progress: 1, message: '0 ' },
      { progress: 2, message: '1 ' },
    ])
    expect(result.content).toEqual([{ type: 'text', text: expect.stringMatching(/^0 1 2 .* 19 $/) }])
    expect(await call('count', { up_to: 2 })).toMatchObject({
      structuredContent: { pieces: [{ number: 1 }, { number: 2 }] },
    })
  })

  it('cancels a call that the client cancels', async () => {
    const before = Number(await aborts())
    const abort = new AbortController()
    const calling = client.callTool({ name: 'own_things__hang', arguments: {} }, { signal: abort.signal })
    calling.catch(() => {})
    // One that came later is answered: the first one is in the plugin.
    await call('nothing')
    abort.abort('enough')
    await expect(calling).rejects.toThrow()
    await expect.poll(aborts).toBe(before + 1)
  })

  it.each([
    ['echo', { text: 5 }, /^text: must be a string, not 5 \(invalid_value\)$/],
    ['echo', { text: { $input: true } }, /^text: must come whole/],
    ['reverse', {}, /^data_b64: is required/],
    ['reverse', { data_file: 7 }, /^data_file: must be the path of a file/],
    ['reverse', { data_file: 'abc.bin', data_b64: '' }, /^data_file: give only one/],
    ['reverse', { data_file: 'none.bin' }, /^data_file: is no file.*--mcp-root/],
    ['reverse', { data_file: '.' }, /^data_file: is no file/],
    ['reverse', { data_file: '../secret.bin' }, /^data_file: is no file/],
    ['reverse', { data_file: join(folder, 'secret.bin') }, /^data_file: is no file/],
    ['reverse', { data_file: 'a\u0000b' }, /^data_file: is no file/],
    ['fail', { code: 'RESOURCE_EXHAUSTED' }, /^It failed with RESOURCE_EXHAUSTED \(rate_limit_exceeded\)$/],
    ['fail', {}, /^Plugin "own_things" failed \(INTERNAL_ERROR\)\. The log/],
    ['count', { up_to: 3, fail_at: 2 }, /^Too many numbers/],
  ])('%s %j fails as a result that the model reads', async (name, args, message) => {
    const result = await call(name, args)
    expect(result.isError).toBe(true)
    expect(result.content).toEqual([{ type: 'text', text: expect.stringMatching(message) }])
    expect(JSON.stringify(result)).not.toContain(folder)
  })

  it.skipIf(process.platform === 'win32')('follows no link out of the folder', async () => {
    const link = join(root, `link-${way.length}-${mode}`)
    symlinkSync(join(folder, 'secret.bin'), link)
    expect(await call('reverse', { data_file: link })).toMatchObject({ isError: true })
  })

  it('has no tool that is not a method', async () => {
    for (const name of ['own_things__load', 'no_such__echo', 'own_things__', '__proto__'])
      await expect(client.callTool({ name, arguments: {} })).rejects.toThrow(/Unknown tool/)
  })

  it('tells of a plugin that is gone and comes back', async () => {
    let changes = 0
    onChanged = () => {
      changes++
    }
    expect(await call('exit')).toMatchObject({ isError: true })
    // Gone, and there again.
    await expect.poll(() => changes).toBeGreaterThanOrEqual(2)
    expect(await call('echo', { text: 'back' })).toMatchObject({ structuredContent: { text: 'back' } })
  })
})

/** A client of one test. */
async function connect({ url }: Gateway, headers: Record<string, string> = {}): Promise<Client> {
  const client = new Client({ name: 'test', version: '1.0.0' })
  const address = new URL(url.replace(/v1$/, 'mcp'))
  await client.connect(new StreamableHTTPClientTransport(address, { requestInit: { headers } }))
  onTestFinished(() => client.close())
  return client
}

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
}
const accept = 'application/json, text/event-stream'

it('on stdio, what was asked before the end of the input is answered', async () => {
  const { command: node, args = [] } = stdioParameters()
  const child = spawn(node, args, { cwd: folder, stdio: ['pipe', 'pipe', 'ignore'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const call = (id: number, name: string, given: object): object => ({
    ...{ jsonrpc: '2.0', id, method: 'tools/call' },
    params: { name, arguments: given },
  })
  const asked = [
    initialize,
    { jsonrpc: '2.0', method: 'notifications/initialized' },
    call(2, 'own_things__echo', { text: 'hi' }),
    call(3, 'tool_llm__stream_chat', { messages: [{ role: 'user', content: '/paced 3 50' }] }),
    call(4, 'own_things__hang', {}),
    { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 4 } },
  ]
  child.stdin.end(asked.map((message) => `${JSON.stringify(message)}\n`).join(''))
  const [lines] = await Promise.all([text(child.stdout), once(child, 'exit')])
  const messages: { id?: number; result?: object }[] = lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const answerTo = (wanted: number): unknown => messages.find(({ id }) => id === wanted)?.result
  expect(answerTo(2)).toMatchObject({ structuredContent: { text: 'hi' } })
  expect(answerTo(3)).toMatchObject({ content: [{ type: 'text', text: '0 1 2 ' }] })
})

describe('/mcp', () => {
  it('is not there without the option', async () => {
    const { port } = await serve(host)
    expect(await post(port, '/mcp', initialize, { accept })).toMatchObject({ status: 404 })
  })

  it('needs a key like all others', async () => {
    const own = await serve(host, { mcp: true, keys: ['one'] })
    expect(await post(own.port, '/mcp', initialize, { accept })).toMatchObject({ status: 401 })
    const client = await connect(own, { authorization: 'Bearer one' })
    expect((await client.listTools()).tools.length).toBeGreaterThan(4)
  })

  it.each([
    [{ host: 'evil.example' }, 'host_not_allowed'],
    [{ origin: 'https://evil.example' }, 'origin_not_allowed'],
  ])('refuses a page that was sent here: %j', async (headers, code) => {
    for (const method of ['GET', 'DELETE'])
      expect(await send(gateway.port, { method, path: '/mcp', headers })).toMatchObject({ status: 403 })
    const answer = await post(gateway.port, '/mcp', initialize, { accept, ...headers })
    expect(answer.status).toBe(403)
    expect(json(answer)).toMatchObject({ error: { code } })
  })

  it('shares no files without a folder', async () => {
    const client = await connect(await serve(host, { mcp: true }))
    const { tools } = await client.listTools()
    const reverse = tools.find(({ name }) => name === 'own_things__reverse')
    expect(reverse?.inputSchema.properties).not.toHaveProperty('data_file')
    const args = { data_file: join(root, 'abc.bin') }
    expect(await client.callTool({ name: 'own_things__reverse', arguments: args })).toMatchObject({
      isError: true,
    })
  })

  it.each([
    ['{', 400],
    ['[]', 400],
    ['{}', 400],
    [{ jsonrpc: '2.0', id: 1, method: 'tools/list' }, 400],
  ])('%j: %i, and the next request is served', async (body, status) => {
    expect(await post(gateway.port, '/mcp', body, { accept })).toMatchObject({ status })
    expect(await post(gateway.port, '/mcp', initialize, { accept })).toMatchObject({ status: 200 })
  })

  it('knows no session of somebody else', async () => {
    const headers = { accept, 'mcp-session-id': 'guessed' }
    const answer = await post(gateway.port, '/mcp', { jsonrpc: '2.0', id: 1, method: 'tools/list' }, headers)
    expect(answer.status).toBe(404)
  })

  it('ends its open streams when the gateway ends, without being waited for', async () => {
    const own = await serve(host, { mcp: true, limits: { drainTimeoutMs: Number.POSITIVE_INFINITY } })
    await connect(own)
    await own.close()
    await expect(send(own.port, {})).rejects.toThrow()
  })
})

it('gives a key the tools of the plugins that it may use', async () => {
  const keys = [{ key: 'all' }, { key: 'voice', contracts: ['tts'] }]
  await using limited = await serveGateway(host, { port: 0, mcp: true, keys })
  const toolsFor = async (key: string): Promise<Set<string | undefined>> => {
    const requestInit = { headers: { authorization: `Bearer ${key}` } }
    const url = new URL(`http://127.0.0.1:${limited.port}/mcp`)
    const client = new Client({ name: 'test', version: '1.0.0' })
    onTestFinished(() => client.close())
    await client.connect(new StreamableHTTPClientTransport(url, { requestInit }))
    const { tools } = await client.listTools()
    return new Set(tools.map(({ name }) => name.split('__')[0]))
  }
  expect(await toolsFor('all')).toEqual(new Set(names))
  expect(await toolsFor('voice')).toEqual(new Set(['tone_tts']))
})
