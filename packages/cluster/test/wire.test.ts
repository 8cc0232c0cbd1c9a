import { type Link, memoryLink, openPeer } from '@appfactory/host/internal'
import { PluginError } from '@appfactory/sdk'
import { Bytes, type IncomingCall, inputMarker, Peer } from '@appfactory/sdk/internal'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectNats, type NatsBus } from '../src/connection.js'
import { linkOver } from './links.js'
import { type Fault, LossyBus } from './lossy-bus.js'
import { MemoryServer } from './memory-bus.js'
import { describeWithNats, type NatsServer, startNatsServer } from './nats-server.js'

const nonce = 'nonce-of-this-test'

/** What the far end does: it echoes, streams, listens, hangs. */
async function handle(call: IncomingCall): Promise<unknown> {
  const params = Object(call.params)
  if (call.method === 'echo') return params.value
  if (call.method === 'fail') throw new PluginError('TTS_SYNTHESIS_FAILED', 'It failed')
  if (call.method === 'hang')
    return new Promise((_, reject) => call.signal.addEventListener('abort', () => reject(call.signal.reason)))
  if (call.method === 'join') {
    const heard: unknown[] = []
    for await (const item of call.input) heard.push(item)
    return heard.join('')
  }
  const outgoing = call.openStream(params.credit)
  for (let index = 0; index < params.pieces; index++) await outgoing.send(index)
  return { pieces: outgoing.count }
}

/** The far end of a link. */
function serveOver(link: Link): void {
  const peer = new Peer({ input: link.input, output: link.output, handle })
  if (link.bytes) {
    peer.receiveBytes(link.bytes, nonce)
    peer.sendBytes()
  }
  link.watch?.(() => peer.callsInFlight > 0)
  void link.closed.then((error) => peer.close(error ?? new PluginError('REQUEST_CANCELLED', 'closed')))
}

function promises(ends: () => readonly [Link, Link]): void {
  let links: readonly [Link, Link]
  let peer: Peer

  beforeAll(async () => {
    links = ends()
    serveOver(links[1])
    peer = await openPeer(links[0], { byteNonce: nonce })
  })
  afterAll(() => {
    for (const link of links ?? []) link.close()
  })

  it('answers each of a thousand calls with its own answer', async () => {
    const values = Array.from({ length: 1000 }, (_, value) => value)
    expect(await Promise.all(values.map((value) => peer.request('echo', { value })))).toEqual(values)
  })

  it('carries a message of megabytes, and bytes as they are', async () => {
    const value = { text: 'ä'.repeat(1_500_000), bytes: new Bytes(Buffer.alloc(3_000_000, 'sound')) }
    const echoed = Object(await peer.request('echo', { value }))
    expect(echoed.text === value.text).toBe(true)
    expect(Buffer.compare(echoed.bytes.data ?? Buffer.from(echoed.bytes, 'base64'), value.bytes.data)).toBe(0)
  })

  it('streams in order, and no further ahead than its credit', async () => {
    const got: unknown[] = []
    for await (const piece of peer.stream('count', { pieces: 300, credit: 8 }, { window: 8 })) got.push(piece)
    expect(got).toEqual(Array.from({ length: 300 }, (_, index) => index))
  })

  it('carries an argument piece by piece', async () => {
    async function* words() {
      for (let index = 0; index < 100; index++) yield `${index} `
    }
    const heard = await peer.request('join', { text: inputMarker }, { input: words() })
    expect(heard).toBe(Array.from({ length: 100 }, (_, index) => `${index} `).join(''))
  })

  it('cancels, and carries errors', async () => {
    const abort = new AbortController()
    const hanging = peer.request('hang', {}, { signal: abort.signal })
    abort.abort()
    await expect(hanging).rejects.toMatchObject({ codeName: 'REQUEST_CANCELLED' })
    await expect(peer.request('fail', {})).rejects.toMatchObject({ codeName: 'TTS_SYNTHESIS_FAILED' })
    expect(await peer.request('echo', { value: 'still here' })).toBe('still here')
  })

  it('fails what is awaited where it breaks, with why', async () => {
    const hanging = peer.request('hang', {})
    links[1].close(new PluginError('RESOURCE_EXHAUSTED', 'enough'))
    await expect(hanging).rejects.toMatchObject({ codeName: 'RESOURCE_EXHAUSTED' })
  })
}

describe('a link in memory', () => promises(memoryLink))

describe('a link over a bus in memory', () =>
  promises(() => {
    const server = new MemoryServer()
    return linkOver(server.connect(), server.connect())
  }))

describeWithNats('over NATS', () => {
  let server: NatsServer
  let buses: [NatsBus, NatsBus]

  beforeAll(async () => {
    server = await startNatsServer()
    const connect = (): Promise<NatsBus> => connectNats({ nats: server.url }, 'a test')
    buses = await Promise.all([connect(), connect()])
  })
  afterAll(async () => {
    for (const bus of buses ?? []) await bus.close()
    await server?.[Symbol.asyncDispose]()
  })

  describe('a link', () => promises(() => linkOver(...buses)))

  // A frame that comes twice changes nothing. Any other fault breaks the link, and each call ends all the same.
  it.each<[Fault, number]>([
    ...([1, 2, 7, 20] as const).map((at): [Fault, number] => ['drop', at]),
    ...([1, 2, 7, 20] as const).map((at): [Fault, number] => ['repeat', at]),
    ...([1, 2, 7, 20] as const).map((at): [Fault, number] => ['reorder', at]),
  ])('ends each call once: %s frame %i', async (fault, at) => {
    for (const isCaller of [true, false]) {
      const [caller, node] = buses
      const bus = new LossyBus(isCaller ? caller : node, fault, at)
      const [near, far] = isCaller ? linkOver(bus, node) : linkOver(caller, bus)
      await bus.flush()
      serveOver(far)
      const peer = await openPeer(near, { byteNonce: nonce })
      const rounds = 32
      const ends: unknown[] = []
      let ended = 0
      const echo = (value: number): Promise<unknown> =>
        peer
          .request('echo', { value })
          .catch((error: PluginError) => error.codeName)
          .finally(() => {
            ended += 1
          })
      // Round by round: each of them takes a frame there and one back at least, however busy the machine is.
      for (let round = 0; round < rounds; round++)
        ends.push(...(await Promise.all(Array.from({ length: 16 }, (_, index) => echo(round * 16 + index)))))
      expect(bus.hasHappened).toBe(true)
      expect(ended).toBe(rounds * 16)
      if (fault === 'repeat') expect(ends).toEqual(Array.from({ length: rounds * 16 }, (_, value) => value))
      else for (const [index, end] of ends.entries()) expect([index, 'PLUGIN_CRASHED']).toContain(end)
      if (fault !== 'repeat') expect(ends).toContain('PLUGIN_CRASHED')
      near.close()
      far.close()
    }
  })
})
