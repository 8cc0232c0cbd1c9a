import { randomBytes } from 'node:crypto'
import { Duplex } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { Bytes, inlineBytes } from '../../src/bytes.js'
import { ByteChannel } from '../../src/wire/byte-channel.js'

/** A pipe's end whose other end is the test: `written` is what the channel wrote, `feed` what it reads. */
function pipeEnd() {
  const written: Buffer[] = []
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk)
      done()
    },
  })
  return { stream, written, feed: (bytes: Uint8Array) => stream.push(bytes) }
}

function channel(limits = { maxPayloadBytes: 1 << 20, maxWaitingBytes: 2 << 20 }) {
  const end = pipeEnd()
  const onBreak = vi.fn()
  return { ...end, onBreak, channel: new ByteChannel(end.stream, 'nonce', onBreak, limits) }
}

/** What a channel writes for a message with these payloads, and the message. */
async function send(...payloads: Uint8Array[]) {
  const { channel: sender, written } = channel()
  const { line, payloads: beside } = sender.encode(payloads.map((data) => new Bytes(data)))
  await sender.send(beside)
  return {
    message: JSON.parse(line) as ({ $bytes: string; length: number } | string)[],
    frames: Buffer.concat(written),
  }
}

/** Resolves when all of it is written. */
function sendBytes(sender: ByteChannel, length: number): Promise<void> | undefined {
  return sender.send(sender.encode(new Bytes(randomBytes(length))).payloads)
}

function frame(
  number: number,
  total: number,
  offset: number,
  length: number,
  data = Buffer.alloc(length, number),
) {
  const header = Buffer.alloc(16)
  for (const [index, value] of [number, total, offset, length].entries())
    header.writeUInt32BE(value, index * 4)
  return Buffer.concat([header, data])
}

describe('payloads', () => {
  it('of every size arrive whole, whatever order they are asked for in', async () => {
    const payloads = [inlineBytes, 65_535, 65_536, 65_537, 300_000].map((size) => randomBytes(size))
    const { message, frames } = await send(...payloads)
    const { channel: receiver, feed } = channel()
    feed(frames)
    const received = await Promise.all(
      [...message].reverse().map((reference) => receiver.take(reference as never)),
    )
    expect(
      received
        .reverse()
        .map((data) => Buffer.compare(Buffer.from(data), payloads.shift() ?? Buffer.alloc(0))),
    ).toEqual([0, 0, 0, 0, 0])
  })

  it('may be asked for before they arrive', async () => {
    const { message, frames } = await send(randomBytes(100_000))
    const { channel: receiver, feed } = channel()
    const taking = receiver.take(message[0] as never)
    feed(frames)
    expect((await taking).length).toBe(100_000)
  })

  it('that are small travel in the message', async () => {
    const { message, frames } = await send(Buffer.from('hello'))
    expect(message).toEqual([Buffer.from('hello').toString('base64')])
    expect(frames.length).toBe(0)
  })

  it('are sent with their own message, whatever was encoded meanwhile, or never sent', async () => {
    const { channel: sender, written } = channel()
    const [first, , last] = [5000, 6000, 7000].map((size) => sender.encode(new Bytes(randomBytes(size))))
    expect(() => sender.encode([new Bytes(randomBytes(5000)), 1n])).toThrow('BigInt')
    await Promise.all([last, first].map((encoded) => sender.send(encoded?.payloads ?? [])))
    const { channel: receiver, feed } = channel()
    feed(Buffer.concat(written))
    for (const [encoded, size] of [
      [first, 5000],
      [last, 7000],
    ] as const)
      expect(await receiver.take(JSON.parse(encoded?.line ?? ''))).toHaveLength(size)
  })

  it('take turns, so that a small one does not wait for a large one', async () => {
    const { frames } = await send(randomBytes(500_000), randomBytes(3000))
    expect([0, 16 + 65_536].map((at) => frames.readUInt32BE(at))).toEqual([1, 2])
  })

  it('take turns a few at a time, those of one piece at once', async () => {
    const large = Array.from({ length: 6 }, () => randomBytes(65_537))
    const { frames } = await send(...large, randomBytes(3000))
    const order: number[] = []
    for (let at = 0; at < frames.length; at += 16 + frames.readUInt32BE(at + 12))
      order.push(frames.readUInt32BE(at))
    expect(order).toEqual([1, 2, 7, 1, 2, 3, 4, 3, 4, 5, 6, 5, 6])
  })

  it('of other messages are not waited for', async () => {
    const stream = new Duplex({
      read() {},
      write(_chunk, _encoding, done) {
        setTimeout(done, 1)
      },
    })
    const sender = new ByteChannel(stream, 'nonce', () => {})
    let isLargeSent = false
    void sendBytes(sender, 3_000_000)?.then(() => {
      isLargeSent = true
    })
    await sendBytes(sender, 3000)
    expect(isLargeSent).toBe(false)
    sender.stopSending()
    await expect.poll(() => isLargeSent).toBe(true)
  })

  it('go out whole through a pipe that takes its time and has room', async () => {
    // As pipes of Node 22 do: write() says that there is room, so no 'drain' comes, though bytes are still on their way.
    const written: Buffer[] = []
    const stream = new Duplex({
      highWaterMark: 1 << 20,
      read() {},
      write(chunk: Buffer, _encoding, done) {
        written.push(chunk)
        setTimeout(done, 1)
      },
    })
    const sender = new ByteChannel(stream, 'nonce', () => {})
    await sendBytes(sender, 300_000)
    await expect.poll(() => Buffer.concat(written).length).toBe(300_000 + 5 * 16)
  })

  it('survive every split of their bytes', async () => {
    const payloads = [randomBytes(5000), randomBytes(70_000)]
    const { message, frames } = await send(...payloads)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: frames.length - 1 }), { maxLength: 40 }),
        async (cuts) => {
          const { channel: receiver, feed } = channel()
          const ends = [...new Set(cuts)].sort((a, b) => a - b)
          for (const [index, end] of [...ends, frames.length].entries())
            feed(frames.subarray(ends[index - 1] ?? 0, end))
          const received = await Promise.all(message.map((reference) => receiver.take(reference as never)))
          expect(
            received.map((data) =>
              Buffer.from(data).equals(payloads[received.indexOf(data)] ?? Buffer.alloc(0)),
            ),
          ).toEqual([true, true])
        },
      ),
      { numRuns: 50 },
    )
  })
})

describe('bad bytes fail their own payload only:', () => {
  const intact = frame(9, 3000, 0, 3000)
  const cases = {
    'a length that the message does not say': frame(1, 4000, 0, 4000),
    'pieces out of order': Buffer.concat([
      frame(1, 5000, 0, 2000),
      frame(1, 5000, 4000, 1000),
      frame(1, 5000, 2000, 2000),
    ]),
    'a piece beyond the end': Buffer.concat([frame(1, 5000, 0, 4000), frame(1, 5000, 4000, 2000)]),
    'a length that changes': Buffer.concat([frame(1, 5000, 0, 4000), frame(1, 6000, 4000, 1000)]),
    'a payload over the limit': frame(1, 0xffffffff, 0, 100),
  }
  it.each(Object.entries(cases))('%s', async (_, frames) => {
    const { channel: receiver, feed, onBreak } = channel()
    feed(frames)
    feed(intact)
    expect((await receiver.take({ $bytes: 'nonce:9', length: 3000 })).length).toBe(3000)
    await expect(receiver.take({ $bytes: 'nonce:1', length: 5000 })).rejects.toThrow('did not arrive')
    expect(receiver.dropped).toBeGreaterThan(0)
    expect(onBreak).not.toHaveBeenCalled()
  })
})

it.each([0, 65_537, 0xffffffff])(
  'a piece of %i bytes ends what is received: nobody knows where the next begins',
  async (length) => {
    const { channel: receiver, feed, onBreak } = channel()
    feed(frame(1, 5000, 0, length, Buffer.alloc(0)))
    await expect(receiver.take({ $bytes: 'nonce:1', length: 5000 })).rejects.toThrow('did not arrive')
    expect(onBreak).toHaveBeenCalledOnce()
    feed(frame(2, 5000, 0, 5000))
    await expect(receiver.take({ $bytes: 'nonce:2', length: 5000 })).rejects.toThrow('did not arrive')
  },
)

it('a pipe that ends in the middle of a payload fails it', async () => {
  const { channel: receiver, feed, stream } = channel()
  feed(frame(1, 5000, 0, 2000))
  const taking = receiver.take({ $bytes: 'nonce:1', length: 5000 })
  stream.destroy()
  await expect(taking).rejects.toThrow('closed')
})

it('what is sent goes on where nothing can be received any more, until the other end takes no bytes', async () => {
  const { channel: end, feed, written } = channel()
  feed(frame(1, 5000, 0, 0, Buffer.alloc(0)))
  await setImmediate()
  await sendBytes(end, 200_000)
  expect(Buffer.concat(written)).toHaveLength(200_000 + 4 * 16)
  end.stopSending()
  const { line, payloads } = end.encode(new Bytes(Buffer.alloc(9000)))
  expect(JSON.parse(line)).toHaveLength(12_000)
  expect(payloads).toEqual([])
})

it('payloads that no message asks for give way to others, and there can’t be too many', async () => {
  const { channel: receiver, feed, onBreak } = channel({ maxPayloadBytes: 50_000, maxWaitingBytes: 100_000 })
  for (let number = 1; number <= 3; number++) feed(frame(number, 40_000, 0, 40_000))
  await setImmediate()
  expect((await receiver.take({ $bytes: 'nonce:3', length: 40_000 })).length).toBe(40_000)
  await expect(receiver.take({ $bytes: 'nonce:1', length: 40_000 })).rejects.toThrow('needed its room')
  // Begun, and never ended: what is asked for gets the room all the same.
  for (const number of [5, 6]) feed(frame(number, 50_000, 0, 100))
  feed(frame(7, 50_000, 0, 50_000))
  expect((await receiver.take({ $bytes: 'nonce:7', length: 50_000 })).length).toBe(50_000)
  for (let number = 100; number <= 4300; number++) feed(frame(number, 1, 0, 1))
  await vi.waitFor(() => expect(onBreak).toHaveBeenCalledOnce(), { timeout: 20_000 })
})
