import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { connectHost, serveSocket } from '@appfactory/host'
import type { TTSContract } from '@appfactory/sdk'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ttsPlugin, writePlugin } from '../../host/test/fixtures/plugins.js'
import { LinesProcess, type RawMessage } from '../../sdk/test/lines-process.js'
import { Cluster } from '../src/cluster.js'
import { natsConfig } from '../src/nats-config.js'
import { describeWithNats, type NatsServer, startNatsServer } from './nats-server.js'
import { command, firstLine, startNode } from './node-process.js'
import { temporaryFolder } from './temporary-folder.js'

const members = `
  async synthesize(text, voiceId, { signal }) {
    if (text === 'wait') await new Promise((resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    return encodeWav(new Int16Array(text.length * 160), { sampleRate: 16000 })
  }
  async *synthesizeStream(text) {
    for await (const piece of typeof text === 'string' ? text.split(' ') : text) yield await this.synthesize(piece, undefined, {})
  }
`

describeWithNats('the protocol of a host, in front of a cluster', () => {
  const folder = temporaryFolder()
  const atEnd: (() => void | Promise<void>)[] = []
  const later = (end: () => void | Promise<void>): void => void atEnd.push(end)
  let server: NatsServer
  let boss: LinesProcess

  const reach = (user: string): string[] => {
    const creds = ['--creds', join(folder(), `${user}.nkey`)]
    return ['--nats', server.url, '--namespace', 'test', ...creds]
  }
  const open = (user: string): LinesProcess =>
    new LinesProcess(command, reach(user), { cwd: folder(), env: process.env, atEnd: later })

  beforeAll(async () => {
    writePlugin(join(folder(), 'plugins'), 'voice', ttsPlugin(members))
    writePlugin(join(folder(), 'plugins'), 'other', ttsPlugin(members), { version: '2.0.0' })
    const who = { namespace: 'test', nodes: ['one', 'two'], callers: ['web'], admins: ['boss'] }
    const files = await natsConfig(who)
    for (const { name, text } of files) await writeFile(join(folder(), name), text)
    const config = files.find(({ name }) => name.endsWith('.conf'))?.text ?? ''
    server = await startNatsServer({ config: config.replace(/^listen:.*$/m, '') })
    const start = (node: string): Promise<LinesProcess> => {
      const args = ['--creds', join(folder(), `${node}.nkey`), '--load', 'voice']
      return startNode({ cwd: folder(), nats: server.url, node, args, atEnd: later })
    }
    await Promise.all(['one', 'two'].map(start))
    boss = open('boss')
  })

  afterAll(async () => {
    for (const end of atEnd) await end()
    await server?.[Symbol.asyncDispose]()
  })

  const voice = (args: object, more: object = {}) => ({
    plugin: 'voice',
    method: 'synthesize',
    args,
    ...more,
  })

  async function run(args: readonly string[]) {
    try {
      return {
        code: 0,
        ...(await promisify(execFile)(process.execPath, [command, ...args], { cwd: folder() })),
      }
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
      return { code, stdout, stderr }
    }
  }

  it('lists, describes and calls, and nothing else is on stdout', async () => {
    expect(await boss.result('plugin/list')).toMatchObject([
      { name: 'voice', contract: 'tts', loaded: true, replicas: 2, status: 'READY' },
    ])
    expect(await boss.result('plugin/describe', { name: 'voice' })).toMatchObject({
      manifest: { name: 'voice' },
      contract: { name: 'tts' },
    })
    expect(await boss.result('plugin/call', voice({ text: 'Hello' }))).toMatchObject({
      format: 'wav',
      audio_b64: expect.stringMatching(/^UklGR/),
    })
    expect(await boss.result('tts/get_voices')).toMatchObject([{ id: 'one' }])
    expect(await boss.result('status')).toMatchObject({ plugins_loaded: 1, errors: 0 })
    expect(Object.keys((await boss.result<object>('plugin/health')) ?? {})).toEqual(['voice'])
    expect(boss.garbage).toEqual([])
  })

  it('streams with credit, takes input piece by piece, and cancels', async () => {
    const method = 'synthesize_stream'
    const pieces = (id: number): RawMessage[] =>
      boss.received.flat().filter(({ method: name, params }) => name === '$/stream' && params?.['id'] === id)
    const params = { plugin: 'voice', method, args: { text: 'a b c' }, stream: { credit: 1 } }
    const id = boss.request('plugin/call', params)
    await boss.notification('$/stream', (piece) => piece['id'] === id)
    await boss.result('ping')
    expect(pieces(id)).toHaveLength(1)
    boss.notify('$/credit', { id, n: 5 })
    expect((await boss.reply(id)).result).toEqual({ pieces: 3 })

    const args = { text: { $input: true } }
    const fed = boss.request('plugin/call', { plugin: 'voice', method, args, stream: true })
    boss.notify('$/input', { id: fed, seq: 0, value: 'One' })
    await boss.notification('$/stream', (piece) => piece['id'] === fed)
    boss.notify('$/input', { id: fed, seq: 1, done: true })
    expect((await boss.reply(fed)).result).toEqual({ pieces: 1 })

    const waiting = boss.request('plugin/call', voice({ text: 'wait' }))
    boss.notify('$/cancelRequest', { id: waiting })
    expect((await boss.reply(waiting)).error?.code).toBe(-32800)
  })

  it('changes what nodes have, for those who may', async () => {
    await boss.result('events/subscribe', { types: ['status'] })
    expect(await boss.result('plugin/load', { name: 'other', on: ['two'] })).toMatchObject({
      plugin: { name: 'other', version: '2.0.0', replicas: 1 },
    })
    await boss.notification('event', ({ plugin, status }) => plugin === 'other' && status === 'READY')
    expect(await boss.result('plugin/scale', { name: 'other', replicas: 2 })).toMatchObject({
      plugin: { name: 'other', replicas: 2 },
    })
    expect(await boss.result('plugin/unload', { name: 'other' })).toEqual({ success: true, plugin: 'other' })
    expect(await boss.result('plugin/swap', { old: 'voice', new: 'voice' })).toMatchObject({
      ...{ success: true, old_version: '1.0.0', new_version: '1.0.0', state_preserved: false, errors: [] },
    })

    const web = open('web')
    expect(await web.result('plugin/health', { name: 'voice' })).toMatchObject({
      message: '2 of 2 nodes are ready',
    })
    expect(await web.result('plugin/call', voice({ text: 'Hello' }))).toMatchObject({ format: 'wav' })
    for (const [method, params] of [
      ['plugin/load', { name: 'other', on: ['one'] }],
      ['plugin/unload', { name: 'voice' }],
      ['plugin/scale', { name: 'voice', replicas: 2 }],
      ['plugin/swap', { old: 'voice', new: 'voice' }],
    ] as const)
      expect((await web.ask(method, params)).error).toMatchObject({ code: -32070, data: { node: 'one' } })
    web.child.stdin.end()
    expect(await web.exited).toEqual({ code: 0, signal: null })
  })

  it.each([
    ['system/discover', {}, -32601],
    ['plugin/fallback', { name: 'x', plugins: ['voice'] }, -32601],
    ['plugin/swap', { old: 'voice', new_plugin_path: 'plugins/other' }, -32602],
    ['plugin/load', { name: 'voice', config: { $env: ['HOME'] } }, -32602],
    ['plugin/load', { name: 'voice', on: ['three'] }, -32602],
    ['plugin/load', { name: 'nothing', on: ['one'] }, -32000],
    ['plugin/load', { name: 'nothing' }, -32001],
    ['plugin/load', { name: 'voice', on: { gpu: 1 } }, -32602],
    ['plugin/call', { plugin: 'nothing', method: 'x' }, -32000],
    ['stt/transcribe', {}, -32011],
    ['nothing/at_all', {}, -32601],
  ])('%s %j is refused', async (method, params, code) => {
    expect((await boss.ask(method, params)).error).toMatchObject({ code, message: expect.any(String) })
  })

  it('goes on when NATS comes back: a call of meanwhile has waited', async () => {
    await server.stop()
    const asked = boss.request('plugin/call', voice({ text: 'Hello' }))
    await boss.result('ping')
    await server.restart()
    expect((await boss.reply(asked)).result).toMatchObject({ format: 'wav' })
    expect(await boss.result('plugin/list')).toHaveLength(1)
  })

  it('is served to callers of a socket too, with raw bytes', async () => {
    const creds = join(folder(), 'web.nkey')
    await using cluster = await Cluster.connect({ nats: server.url, namespace: 'test', creds })
    const path =
      process.platform === 'win32' ? `\\\\.\\pipe\\front-${process.pid}` : join(folder(), 'front.sock')
    await using socket = await serveSocket(cluster, { path, rights: 'all' })
    await using host = await connectHost({ path: socket.path })
    const tts = await host.get<TTSContract>('voice')
    expect((await tts.synthesize('Hello')).audio).toBeInstanceOf(Uint8Array)
    await expect(host.request('plugin/load', { name: 'other' })).rejects.toMatchObject({
      codeName: 'CALL_FORBIDDEN',
    })
  })

  it('is called by the command, and a swap says where it stopped', async () => {
    const args = ['--args', '{"text":"a b"}', '--json']
    const [called, refused] = await Promise.all([
      run(['call', 'voice', 'synthesize_stream', ...args, ...reach('web')]),
      run(['swap', 'voice', 'other', '--json', ...reach('web')]),
    ])
    expect(
      called.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).format),
    ).toEqual(['wav', 'wav'])
    expect(refused).toMatchObject({ code: 1 })
    expect(JSON.parse(refused.stdout)).toMatchObject({
      error: { code: -32070, data: { node: 'one', nodes: [] } },
    })
  })

  it('is behind the gateway', async () => {
    const gateway = new LinesProcess(command, ['gateway', '--port', '0', ...reach('web')], {
      ...{ cwd: folder(), env: process.env, atEnd: later },
    })
    await firstLine(gateway)
    expect(gateway.garbage, gateway.stderr).not.toEqual([])
    const url = gateway.garbage[0]?.replace('Gateway: ', '')
    const models = (await (await fetch(`${url}/models`)).json()) as { data: { id: string }[] }
    expect(models.data.map(({ id }) => id)).toContain('voice')
    const body = JSON.stringify({ model: 'voice', input: 'Hello', voice: 'one', response_format: 'wav' })
    const headers = { 'content-type': 'application/json' }
    const speech = await fetch(`${url}/audio/speech`, { method: 'POST', headers, body })
    expect(
      Buffer.from(await speech.arrayBuffer())
        .subarray(0, 4)
        .toString(),
    ).toBe('RIFF')
    gateway.child.kill('SIGTERM')
    expect(await gateway.exited).toEqual({ code: 143, signal: null })
  })

  it('is behind MCP, which answers what was asked before the end of its input', async () => {
    const started = new LinesProcess(command, ['mcp', ...reach('web')], {
      ...{ cwd: folder(), env: process.env, atEnd: later },
    })
    const clientInfo = { name: 'test', version: '1.0.0' }
    const hello = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo }
    expect(await started.result('initialize', hello)).toMatchObject({ serverInfo: { name: 'appfactory' } })
    started.notify('notifications/initialized')
    expect(JSON.stringify(await started.result('tools/list'))).toContain('"voice__synthesize"')
    const asked = started.request('tools/call', { name: 'voice__synthesize', arguments: { text: 'Hello' } })
    started.child.stdin.end()
    expect((await started.reply(asked)).result).toMatchObject({
      content: [{ type: 'audio', mimeType: 'audio/wav' }, { type: 'text' }],
    })
    expect(await started.exited).toEqual({ code: 0, signal: null })
    expect(started.garbage).toEqual([])
  })

  it('is shown by the Plugin Tester, which runs no checks there', async () => {
    const tester = new LinesProcess(command, ['tester', ...reach('web')], {
      ...{ cwd: folder(), env: process.env, atEnd: later },
    })
    await firstLine(tester)
    expect(tester.garbage, tester.stderr).not.toEqual([])
    const { origin, href } = new URL(/http:\S+/.exec(tester.garbage.join(' '))?.[0] ?? '')
    const [cookie = ''] = (await fetch(href)).headers.get('set-cookie')?.split(';') ?? []
    const ask = async (method: string, params: object): Promise<RawMessage> => {
      const headers = { cookie, origin, 'sec-fetch-site': 'same-origin', 'content-type': 'application/json' }
      const body = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })}\n`
      return JSON.parse(await (await fetch(`${origin}/rpc`, { method: 'POST', headers, body })).text())
    }
    expect((await ask('plugin/list', {})).result).toMatchObject([{ name: 'voice' }])
    expect((await ask('system/discover', {})).result).toMatchObject({
      plugins: [{ manifest: { name: 'voice' } }],
    })
    expect((await ask('plugin/call', voice({ text: 'Hello' }))).result).toMatchObject({ format: 'wav' })
    expect((await ask('plugin/config', { name: 'voice' })).result).toBeNull()
    expect((await ask('checks/run', { plugin: 'voice' })).error).toMatchObject({ code: -32601 })
    tester.child.kill('SIGTERM')
    expect(await tester.exited).toMatchObject({ code: 143 })
  })

  it('refuses what means nothing here', async () => {
    const wrong = [
      [['gateway', '--load', 'voice'], '--load is for plugins of this process'],
      [['gateway', '--port', '0', '--model', 'tts-1=voice,other'], '"tts-1" stands for several plugins'],
      [['call', 'voice', 'x', '--replicas', '2'], '--replicas and --config are for'],
    ] as const
    await Promise.all(
      wrong.map(async ([args, reason]) =>
        expect(await run([...args, ...reach('web')])).toMatchObject({
          ...{ code: 2, stdout: '', stderr: expect.stringContaining(reason) },
        }),
      ),
    )
  })

  it('ends when its client does, or at once where NATS is not there', async () => {
    const asked = boss.request('plugin/call', voice({ text: 'Hello' }))
    boss.child.stdin.end()
    expect((await boss.reply(asked)).result).toMatchObject({ format: 'wav' })
    expect(await boss.exited).toEqual({ code: 0, signal: null })
    const lost = await run(['--nats', 'nats://127.0.0.1:1', '--namespace', 'test'])
    expect(lost).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('PLUGIN_NOT_READY') })
  })
})
