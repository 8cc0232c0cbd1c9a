import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { openPeer } from '@appfactory/host/internal'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ttsPlugin, writePlugin } from '../../host/test/fixtures/plugins.js'
import { LinesProcess } from '../../sdk/test/lines-process.js'
import { NatsCable } from '../src/nats-cable.js'
import { describeWithNats, type NatsServer, startNatsServer } from './nats-server.js'
import { command, startNode } from './node-process.js'
import { temporaryFolder } from './temporary-folder.js'

const nowhere = ['--nats', 'nats://127.0.0.1:1', '--namespace', 'x']

describeWithNats('appfactory-host in a cluster', () => {
  const folder = temporaryFolder()
  const atEnd: (() => void | Promise<void>)[] = []
  let server: NatsServer
  let node: LinesProcess
  const creds = (name: string): string => join(folder(), 'nats', `${name}.nkey`)

  beforeAll(async () => {
    writePlugin(join(folder(), 'plugins'), 'voice', ttsPlugin())
    const args = [
      'nats-config',
      '--namespace',
      'test',
      '--nodes',
      'gpu-1,gpu-2',
      '--callers',
      'web',
      '--admins',
      'boss',
    ]
    await run(args)
    const config = readFileSync(join(folder(), 'nats/nats-server.conf'), 'utf8').replace(/^listen:.*$/m, '')
    server = await startNatsServer({ config })
    const more = [
      '--creds',
      creds('gpu-1'),
      '--label',
      'gpu=true',
      '--load',
      'voice=2',
      '--metrics-port',
      '0',
    ]
    node = await startNode({
      ...{ cwd: folder(), nats: server.url, node: 'gpu-1', args: more },
      atEnd: (end) => void atEnd.push(end),
    })
  })

  afterAll(async () => {
    for (const end of atEnd) await end()
    await server?.[Symbol.asyncDispose]()
  })

  async function run(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    try {
      const done = await promisify(execFile)(process.execPath, [command, ...args], { cwd: folder() })
      return { code: 0, ...done }
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
      return { code, stdout, stderr }
    }
  }

  const reach = (name: string): string[] => [
    '--nats',
    server.url,
    '--namespace',
    'test',
    '--creds',
    creds(name),
  ]
  const cableOf = (caller: string): Promise<NatsCable> =>
    NatsCable.connect({ nats: server.url, namespace: 'test', creds: creds(caller) })

  it('writes secrets for their owner alone, and not over those that are there', async () => {
    if (process.platform !== 'win32') expect(statSync(creds('web')).mode & 0o777).toBe(0o600)
    const before = readFileSync(creds('web'), 'utf8')
    const again = await run(['nats-config', '--namespace', 'test', '--nodes', 'gpu-1'])
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('--force') })
    expect(readFileSync(creds('web'), 'utf8')).toBe(before)
  })

  it('writes nothing where one of the files is there: a configuration fits its secrets', async () => {
    const out = join(folder(), 'half')
    mkdirSync(out)
    writeFileSync(join(out, 'b.nkey'), 'a secret')
    const args = ['nats-config', '--namespace', 'test', '--nodes', 'a,b', '--out', out]
    expect(await run(args)).toMatchObject({ code: 2, stderr: expect.stringContaining('b.nkey is there') })
    expect(readdirSync(out)).toEqual(['b.nkey'])
  })

  it('lists nodes, for people and as JSON', async () => {
    const { stdout } = await run(['nodes', ...reach('boss'), '--json'])
    expect(JSON.parse(stdout)).toEqual([
      {
        ...{ node: 'gpu-1', labels: { gpu: 'true' }, draining: false },
        plugins: [
          {
            name: 'voice',
            version: '1.0.0',
            contract: 'tts',
            status: 'READY',
            replicas: 2,
            in_flight: 0,
            queued: 0,
          },
        ],
      },
    ])
    expect((await run(['nodes', ...reach('web')])).stdout).toMatch(
      /^gpu-1 +voice +1\.0\.0 +tts +READY +2 +0 +gpu=true$/m,
    )
  })

  it('lets callers call, and administrators manage', async () => {
    await using caller = await cableOf('web')
    const { link, byteNonce } = await caller.dial('voice', 'gpu-1')
    const peer = await openPeer(link, { byteNonce })
    const params = { plugin: 'voice', method: 'synthesize', args: { text: 'Hello' } }
    expect(await peer.request('plugin/call', params)).toMatchObject({ format: 'wav' })
    await expect(caller.admin('gpu-1')).rejects.toMatchObject({ codeName: 'CALL_FORBIDDEN' })
    await using admin = await cableOf('boss')
    const { link: managing } = await admin.admin('gpu-1')
    managing.close()
  })

  it('serves metrics of the node beside those of its plugins, to this machine', async () => {
    const [, url = ''] = /metrics at (http:\/\/127\.0\.0\.1:\d+\/metrics)/.exec(node.stderr) ?? []
    await using caller = await cableOf('web')
    const { link, byteNonce } = await caller.dial('voice', 'gpu-1')
    await (await openPeer(link, { byteNonce })).request('ping', {})
    const text = await (await fetch(url)).text()
    for (const line of ['node_drains_total 0', 'node_link_resumes_total 0'])
      expect(text).toContain(`appfactory_cluster_${line}\n`)
    for (const name of ['node_links', 'node_callers'])
      expect(text).toMatch(new RegExp(`^appfactory_cluster_${name} [1-9]`, 'm'))
    expect(text).toMatch(/appfactory_cluster_node_beats_total [1-9]/)
    expect(text).toContain('appfactory_plugin_status{plugin="voice",status="READY"} 1\n')
  })

  it('lets nobody be another', async () => {
    const as = { nats: server.url, namespace: 'test' }
    await expect(NatsCable.connect({ ...as, caller: 'boss', creds: creds('web') })).rejects.toMatchObject({
      codeName: 'CALL_FORBIDDEN',
    })
    const other = new LinesProcess(
      command,
      ['serve', '--log-dir', '-', ...reach('gpu-1'), '--node', 'gpu-2'],
      { cwd: folder(), env: process.env },
    )
    expect(await other.exited).toMatchObject({ code: 1 })
    expect(other.stderr).toContain('CALL_FORBIDDEN')
    expect(other.garbage).toEqual([])
  })

  it.each([
    [['serve', '--node', 'a'], '--nats URL is needed'],
    [['nodes', '--nats', 'nats://10.0.0.1', '--namespace', 'x'], 'clear text'],
    [['serve', ...nowhere, '--desired'], '--desired is for a node'],
    [['--label', 'gpu=true', ...nowhere], '--label is for a node'],
    [['gateway', ...nowhere, '--node-limit', 'resumeMs=9'], 'gateway does not take --node-limit'],
    [['serve', ...nowhere, '--node', 'a', '--node-limit', 'resumeMS=9'], 'Did you mean resumeMs?'],
    [
      ['serve', ...nowhere, '--node', 'a', '--node-limit', 'namespace=9'],
      'Its limits are maxLinksPerCaller,',
    ],
    [['nats-config', '--namespace', 'x', '--nodes', 'a', '--tls-cert', 'x'], 'go together'],
  ])('%j is wrong usage', async (args, reason) => {
    expect(await run(args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(reason) })
  })

  it.each(['0', '1.5', '65', '1e9', 'x'])('scaling to %s is wrong usage', async (replicas) => {
    for (const on of [[], ['--on', 'gpu-1']])
      expect(await run(['scale', 'voice', replicas, ...on, ...reach('boss')])).toMatchObject({
        ...{ code: 2, stdout: '' },
        stderr: expect.stringContaining('takes a whole number from 1 to'),
      })
    expect(await run(['load', 'voice', '--replicas', '1001', ...reach('boss')])).toMatchObject({ code: 2 })
  })

  it('names a node once that is given twice', async () => {
    const args = ['scale', 'voice', '2', '--on', 'gpu-1,gpu-1', ...reach('boss')]
    expect(await run(args)).toMatchObject({ code: 0, stdout: 'voice has 2 processes on gpu-1\n' })
  })

  it('drains a node, which ends then', async () => {
    expect(await run(['drain', 'gpu-2', ...reach('boss')])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('"gpu-2" is not there'),
    })
    expect(await run(['drain', 'gpu-1', ...reach('boss')])).toMatchObject({
      code: 0,
      stdout: 'Node gpu-1 has left\n',
    })
    expect(await node.exited).toEqual({ code: 0, signal: null })
    expect(node.garbage).toEqual(['Node gpu-1: ready'])
    expect((await run(['nodes', ...reach('boss')])).stdout).toContain('No nodes')
  })

  it('says that no node is there, and waits no longer than it is told to', async () => {
    const swap = await run(['swap', 'voice', ...reach('boss')])
    expect(swap).toMatchObject({ code: 1, stderr: expect.stringContaining('loaded: no node is there') })
    const call = await run(['call', 'voice', 'synthesize', '--timeout', '300', ...reach('web')])
    expect(call).toMatchObject({ code: 1, stderr: expect.stringContaining('within 300 ms') })
    expect(call.stderr).not.toContain('waiting')
  })

  it('tells what it waits for', async () => {
    const call = await run(['call', 'voice', 'synthesize', '--timeout', '3500', ...reach('web')])
    expect(call.stderr).toContain('waiting for a node: none is there')
  })
})
