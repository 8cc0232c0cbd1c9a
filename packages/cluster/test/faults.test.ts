import { join } from 'node:path'
import type { TTSContract } from '@appfactory/sdk'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ttsPlugin, writePlugin } from '../../host/test/fixtures/plugins.js'
import type { LinesProcess } from '../../sdk/test/lines-process.js'
import { Cluster } from '../src/cluster.js'
import { describeWithNats, type NatsServer, startNatsServer } from './nats-server.js'
import { startNode } from './node-process.js'
import { canMakeNetworks, makeOwnNetwork, type OwnNetwork } from './own-network.js'
import { temporaryFolder } from './temporary-folder.js'

/** Answers with its text: at once, or after a while. */
const members = `
  async synthesize(text, voiceId, { signal } = {}) {
    const [, ms] = /^wait (\\d+)/.exec(text) ?? []
    if (ms) console.error('waiting')
    if (ms) await new Promise((resolve) => setTimeout(resolve, Number(ms)))
    return encodeWav(new Int16Array(text.length), { sampleRate: 8000 })
  }
`

/** How a call ended: with an answer, or with a code. */
type End = 'answer' | { code: string | undefined; lost: unknown }

describeWithNats('calls over NATS', () => {
  const folder = temporaryFolder()
  const atEnd: (() => void | Promise<void>)[] = []
  let server: NatsServer
  let cluster: Cluster

  beforeAll(async () => {
    writePlugin(join(folder(), 'plugins'), 'voice', ttsPlugin(members))
    server = await startNatsServer({ address: '0.0.0.0' })
    cluster = await Cluster.connect({ nats: server.url, namespace: 'test' })
  })

  afterAll(async () => {
    await cluster?.close()
    for (const end of atEnd) await end()
    await server?.[Symbol.asyncDispose]()
  })

  /** A node that calls go to: the cluster has a link to it. */
  async function node(name: string, network?: OwnNetwork): Promise<LinesProcess> {
    const args = ['--load', 'voice']
    const place = network
      ? {
          nats: `nats://${network.address}:${server.port}`,
          args: [...args, '--insecure'],
          through: network.through,
        }
      : { nats: server.url, args }
    const options = { cwd: folder(), node: name, ...place }
    const started = await startNode({ ...options, atEnd: (end) => void atEnd.push(end) })
    const isCalled = async (): Promise<boolean> => {
      await Promise.all(
        Array.from({ length: 16 }, () => cluster.call('voice', 'synthesize', { text: 'wait 1' })),
      )
      return started.stderr.includes('waiting')
    }
    await expect.poll(isCalled).toBe(true)
    return started
  }

  /** Calls that wait on these nodes, and how often each of them has ended. */
  async function calls(
    count: number,
    text: string,
    names: readonly string[],
  ): Promise<{ ends: Promise<End[]>; counts: number[] }> {
    const counts = Array.from({ length: count }, () => 0)
    const ends = counts.map((_, index) =>
      cluster
        .call('voice', 'synthesize', { text }, { timeoutMs: 20_000 })
        .then(
          (): End => 'answer',
          (error: { codeName?: string; data?: { lost?: unknown } }): End => ({
            code: error.codeName,
            lost: error.data?.lost,
          }),
        )
        .finally(() => {
          counts[index] = (counts[index] ?? 0) + 1
        }),
    )
    const busy = (): string[] =>
      cluster.nodes().flatMap((beat) => (beat.plugins.some(({ inFlight }) => inFlight > 0) ? beat.node : []))
    await expect.poll(busy).toEqual(expect.arrayContaining([...names]))
    return { ends: Promise.all(ends), counts }
  }

  /** Each of these calls ends once, some of them since their node is lost; and the next one is answered. */
  async function expectLost({ ends, counts }: Awaited<ReturnType<typeof calls>>): Promise<void> {
    const told = await ends
    expect(counts.every((each) => each === 1)).toBe(true)
    expect(told.filter((end) => end !== 'answer')).not.toEqual([])
    for (const end of told)
      if (end !== 'answer') expect(end).toEqual({ code: 'PLUGIN_CRASHED', lost: 'node' })
    expect(await cluster.call('voice', 'synthesize', { text: 'next' })).toMatchObject({ format: 'wav' })
  }

  it('end once each where their node is killed, and the next ones go to another', async () => {
    const [first] = await Promise.all([node('a'), node('b')])
    const voice = await cluster.get<TTSContract>('voice')
    expect((await voice.synthesize('Hello')).format).toBe('wav')
    const { ends, counts } = await calls(64, 'wait 1500', ['a', 'b'])
    first.child.kill('SIGKILL')
    const told = await ends
    expect(counts.every((each) => each === 1)).toBe(true)
    const lost = told.filter((end) => end !== 'answer')
    expect(lost.length).toBeGreaterThan(0)
    expect(lost.length).toBeLessThan(64)
    for (const end of lost) expect(end).toEqual({ code: 'PLUGIN_CRASHED', lost: 'node' })
    expect(await cluster.call('voice', 'synthesize', { text: 'next' })).toMatchObject({ format: 'wav' })
  })

  it('end once each where their node hangs, and it is taken again when it goes on', async () => {
    const second = await node('c')
    const lost = await calls(64, 'wait 1500', ['b', 'c'])
    second.child.kill('SIGSTOP')
    await expectLost(lost)
    second.child.kill('SIGCONT')
    await expect
      .poll(() =>
        cluster
          .nodes()
          .map(({ node: name }) => name)
          .sort(),
      )
      .toEqual(['b', 'c'])
  })

  it.skipIf(!canMakeNetworks())(
    'end once each where nobody reaches their node, and it is taken again when its network is back',
    async () => {
      const network = makeOwnNetwork()
      atEnd.push(network.remove)
      const far = await node('far', network)
      const lost = await calls(64, 'wait 1500', ['b', 'far'])
      network.pullCable()
      await expectLost(lost)
      network.plugCable()
      await expect.poll(() => cluster.nodes().map(({ node: name }) => name)).toContain('far')
      far.child.kill('SIGTERM')
      expect(await far.exited).toMatchObject({ code: 143 })
    },
  )

  it('go on where the NATS server was away, as if nothing had been', async () => {
    const { ends } = await calls(64, 'wait 800', ['b', 'c'])
    await server.stop()
    const meanwhile = Promise.all(
      Array.from({ length: 16 }, () => cluster.call('voice', 'synthesize', { text: 'meanwhile' })),
    )
    await server.restart()
    expect(new Set(await ends)).toEqual(new Set(['answer']))
    expect(await meanwhile).toHaveLength(16)
    expect(await cluster.call('voice', 'synthesize', { text: 'next' })).toMatchObject({ format: 'wav' })
  })
})
