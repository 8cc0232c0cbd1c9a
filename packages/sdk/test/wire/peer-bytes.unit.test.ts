import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { PassThrough, Transform } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bytes } from '../../src/bytes.js'
import { PluginError } from '../../src/errors.js'
import type { IncomingCall } from '../../src/wire/call.js'
import { Peer, type PeerOptions } from '../../src/wire/peer.js'

const nonce = 'f00d'

/** Cuts what passes through into parts whose lengths are `lengths`, in turn; `noise` goes in front of each line. */
function cutter(lengths: readonly number[] = [], noise: () => string = () => '') {
  let turn = 0
  return new Transform({
    async transform(chunk: Buffer, _encoding, done) {
      const said = noise()
      const bytes = said === '' ? chunk : Buffer.from(chunk.toString().replaceAll(/^(?=\{)/gm, said))
      for (let at = 0; at < bytes.length; ) {
        const length = lengths.length === 0 ? bytes.length : (lengths[turn++ % lengths.length] ?? 1)
        this.push(bytes.subarray(at, at + length))
        at += length
        if (lengths.length > 0) await setImmediate()
      }
      done()
    },
  })
}

/** Host and plugin with a pipe of bytes between them; `cuts` are the lengths of what arrives at the plugin and the host. */
function connect({
  cuts = { lines: [], bytes: [] },
  noise = () => '',
  ...plugin
}: Partial<PeerOptions> & {
  cuts?: { lines: readonly number[]; bytes: readonly number[] }
  noise?: () => string
}) {
  const [toPlugin, toHost] = [cutter(cuts.lines), cutter(cuts.lines, noise)]
  const [bytesToPlugin, bytesToHost] = [cutter(cuts.bytes), cutter(cuts.bytes)]
  const noises: string[] = []
  const host = new Peer({
    input: toHost,
    output: toPlugin,
    handle: () => undefined,
    idNonce: 'n',
    onNoise: (text) => noises.push(text) > 0,
  })
  const peer = new Peer({ input: toPlugin, output: toHost, handle: () => undefined, ...plugin })
  host.receiveBytes(duplex(bytesToHost, bytesToPlugin), nonce)
  peer.receiveBytes(duplex(bytesToPlugin, bytesToHost), nonce)
  for (const end of [host, peer]) end.sendBytes()
  return { host, peer, noises, toPlugin, toHost, bytesToPlugin, bytesToHost }
}

function duplex(readable: Transform, writable: Transform) {
  const both = new PassThrough()
  // Looked up each time: tests put a `write` of their own there.
  both.write = ((...args: Parameters<typeof writable.write>) => writable.write(...args)) as typeof both.write
  readable.on('data', (chunk) => both.emit('data', chunk))
  return both
}

/** A call whose answer has come, and whose bytes have not. */
async function answeredWithoutBytes() {
  const [input, output, bytes] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const peer = new Peer({ input, output, handle: () => undefined, idNonce: 'n' })
  peer.receiveBytes(bytes, nonce)
  const result = peer.request('speak', {})
  const [line] = (await once(output, 'data')) as [Buffer]
  const { id } = JSON.parse(line.toString()) as { id: string }
  const answer = { jsonrpc: '2.0', id, result: { audio_b64: { $bytes: `${nonce}:1`, length: 1000 } } }
  input.write(`${JSON.stringify(answer)}\n`)
  await setImmediate()
  // Not awaited here: it is what fails.
  return { peer, bytes, end: result.catch((error: unknown) => error) }
}

describe('a channel of bytes that ends', () => {
  it('fails its calls with what became of the other end', async () => {
    const { peer, bytes, end } = await answeredWithoutBytes()
    bytes.destroy()
    await once(bytes, 'close')
    await setImmediate()
    peer.close(new PluginError('PLUGIN_CRASHED', 'It is gone'))
    expect(await end).toMatchObject({ codeName: 'PLUGIN_CRASHED' })
  })

  it('fails them all the same where the other end goes on', async () => {
    const { bytes, end } = await answeredWithoutBytes()
    bytes.destroy(new Error('reset'))
    expect(await end).toMatchObject({ codeName: 'INTERNAL_ERROR' })
  })
})

const digest = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex')

/** The bytes of a field of a message, however they came. */
function bytesIn(value: unknown): Uint8Array {
  return value instanceof Bytes ? value.data : Buffer.from(String(value), 'base64')
}

/** Answers with the digest of what came, and with those bytes turned round. */
function turnRound({ params }: IncomingCall) {
  const data = bytesIn((params as { data_b64: unknown }).data_b64)
  return { digest: digest(data), data_b64: new Bytes(Uint8Array.from(data).reverse()) }
}

describe('messages with bytes beside them', () => {
  it('arrive as they are, through every split of both pipes, whatever is printed between', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 200_000 }), { minLength: 1, maxLength: 6 }),
        fc.record({
          lines: fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 5 }),
          bytes: fc.array(fc.integer({ min: 500, max: 90_000 }), { maxLength: 5 }),
        }),
        fc.constantFrom('', 'noise\n', 'half a line '),
        async (sizes, cuts, noise) => {
          const { host } = connect({ cuts, noise: () => noise, handle: turnRound })
          const payloads = sizes.map((size) => randomBytes(size))
          const answers = await Promise.all(
            payloads.map((data) => host.request('turn', { data_b64: new Bytes(data) })),
          )
          for (const [index, answer] of (answers as Record<string, unknown>[]).entries()) {
            const data = payloads[index] ?? Buffer.alloc(0)
            expect(answer['digest']).toBe(digest(data))
            expect(digest(bytesIn(answer['data_b64']))).toBe(digest(Uint8Array.from(data).reverse()))
          }
        },
      ),
      { numRuns: 40 },
    )
  })

  it('lose no other call to flipped bits on the pipe of bytes', async () => {
    // The answers go in pieces of 64 KiB, each with 16 bytes in front.
    const inHeader = fc.tuple(fc.nat(2), fc.nat(15)).map(([piece, byte]) => piece * (65_536 + 16) + byte)
    let failed = 0
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.nat(220_000), inHeader),
        fc.integer({ min: 1, max: 255 }),
        async (place, flip) => {
          const { host, bytesToHost } = connect({
            handle: (call) => (call.method === 'ping' ? 'pong' : turnRound(call)),
          })
          let at = 0
          const write = bytesToHost.write.bind(bytesToHost)
          bytesToHost.write = ((chunk: Buffer) => {
            const broken = Buffer.from(chunk)
            if (place >= at && place < at + chunk.length)
              broken[place - at] = (broken[place - at] ?? 0) ^ flip
            at += chunk.length
            return write(broken)
          }) as typeof write
          const fates = Promise.allSettled(
            [100_000, 70_000, 5000].map((size) =>
              host.request('turn', { data_b64: new Bytes(randomBytes(size)) }, { timeoutMs: 500 }),
            ),
          )
          expect(await host.request('ping', {})).toBe('pong')
          for (const fate of await fates)
            if (fate.status === 'rejected') {
              failed += 1
              expect(fate.reason).toMatchObject({
                codeName: expect.stringMatching(/INTERNAL_ERROR|CALL_TIMEOUT/),
              })
            }
          expect(await host.request('ping', {})).toBe('pong')
          const small = (await host.request('turn', { data_b64: new Bytes(Buffer.from('x')) })) as object
          expect(small).toMatchObject({ digest: digest(Buffer.from('x')) })
        },
      ),
      { numRuns: 25 },
    )
    expect(failed).toBeGreaterThan(0)
  }, 120_000)

  it('are found behind what was printed into their line', async () => {
    const { host, noises } = connect({ noise: () => 'progress 50% ', handle: turnRound })
    const data = randomBytes(300_000)
    const answer = (await host.request('turn', { data_b64: new Bytes(data) })) as { data_b64: unknown }
    expect(digest(bytesIn(answer.data_b64))).toBe(digest(Uint8Array.from(data).reverse()))
    expect(noises).toContain('progress 50% ')
  })
})

describe('a request that is cancelled while its bytes are on their way', () => {
  it('is answered REQUEST_CANCELLED, and never handled', async () => {
    const handled: unknown[] = []
    const { host, bytesToPlugin } = connect({ handle: ({ params }) => handled.push(params) })
    bytesToPlugin.cork()
    const write = bytesToPlugin.write.bind(bytesToPlugin)
    const held: Buffer[] = []
    bytesToPlugin.write = ((chunk: Buffer) => held.push(chunk) > 0) as typeof write
    const cancelling = new AbortController()
    const answer = host.request(
      'turn',
      { data_b64: new Bytes(randomBytes(100_000)) },
      { signal: cancelling.signal },
    )
    answer.catch(() => {})
    await host.request('turn', {})
    cancelling.abort()
    await host.request('turn', {})
    expect(handled).toHaveLength(2)
    bytesToPlugin.write = write
    for (const chunk of held) bytesToPlugin.write(chunk)
    bytesToPlugin.uncork()
    await expect(answer).rejects.toMatchObject({ codeName: 'REQUEST_CANCELLED' })
    expect(handled).toHaveLength(2)
  })
})

describe('when one end can receive no bytes any more', () => {
  it('what is under way towards it fails at once; what it sends itself arrives', async () => {
    const { host, bytesToHost } = connect({ handle: turnRound })
    // Behind the first piece of the first answer comes what can't be.
    const write = bytesToHost.write.bind(bytesToHost) as (...args: unknown[]) => boolean
    let writes = 0
    bytesToHost.write = ((...args: unknown[]) => {
      const hasRoom = write(...args)
      writes += 1
      if (writes === 2) write(Buffer.alloc(64, 255))
      return hasRoom
    }) as typeof bytesToHost.write
    const large = [1, 2, 3].map(() => host.request('turn', { data_b64: new Bytes(randomBytes(3_000_000)) }))
    for (const each of large) each.catch(() => {})
    const failed = (await Promise.allSettled(large)).filter((fate) => fate.status === 'rejected')
    expect(failed.length).toBeGreaterThan(0)
    for (const { reason } of failed) expect(reason).toMatchObject({ codeName: 'INTERNAL_ERROR' })
    const data = randomBytes(500_000)
    expect(await host.request('turn', { data_b64: new Bytes(data) })).toMatchObject({ digest: digest(data) })
  })
})
