import { openPeer } from '@appfactory/host/internal'
import type { PluginError } from '@appfactory/sdk'
import { type IncomingCall, Peer } from '@appfactory/sdk/internal'
import { expect, test } from 'vitest'
import { linkOver } from './links.js'
import { type Fault, LossyBus } from './lossy-bus.js'
import { MemoryServer } from './memory-bus.js'

const faults: readonly Fault[] = ['drop', 'repeat', 'reorder']
/** Each decides the fault, its frame and the end that suffers from it. */
const seeds = Array.from({ length: 60 }, (_, seed) => seed)

/** How calls end that are made one in each turn, over a bus with one fault. */
async function endsOver(seed: number): Promise<unknown[]> {
  const server = new MemoryServer()
  const [sound, lossy] = [
    server.connect(),
    new LossyBus(server.connect(), faults[seed % 3] ?? 'drop', 1 + Math.floor(seed / 3)),
  ]
  const [near, far] = seed % 2 === 0 ? linkOver(lossy, sound) : linkOver(sound, lossy)
  const handle = async ({ params }: IncomingCall): Promise<unknown> => params
  const peer = new Peer({ input: far.input, output: far.output, handle })
  void far.closed.then((error) => error && peer.close(error))
  const caller = await openPeer(near, { byteNonce: 'nonce-of-this-test' })
  near.watch(() => caller.callsInFlight > 0)
  const call = async (value: number): Promise<unknown> =>
    caller.request('echo', { value }).catch((error: PluginError) => error.codeName)
  const calls: Promise<unknown>[] = []
  for (let value = 0; value < 48; value++) {
    calls.push(call(value))
    await new Promise((resolve) => setImmediate(resolve))
  }
  const ends = await Promise.all(calls)
  expect(lossy.hasHappened).toBe(true)
  near.close()
  far.close()
  return ends
}

test('whatever is lost, repeated or overtaken: each call has its own answer, or why there is none', async () => {
  const all = await Promise.all(seeds.map(endsOver))
  for (const [seed, ends] of all.entries()) {
    expect(ends).toHaveLength(48)
    for (const [index, end] of ends.entries()) {
      const own = { value: index }
      expect(faults[seed % 3] === 'repeat' ? [own] : [own, 'PLUGIN_CRASHED']).toContainEqual(end)
    }
  }
  expect(all.flat()).toContain('PLUGIN_CRASHED')
})
