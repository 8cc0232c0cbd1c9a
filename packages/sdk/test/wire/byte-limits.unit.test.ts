import { PassThrough } from 'node:stream'
import { expect, test, vi } from 'vitest'
import { Bytes } from '../../src/bytes.js'
import { writeHeader } from '../../src/wire/byte-frames.js'
import { ByteReceiver } from '../../src/wire/byte-receiver.js'
import { ByteSender } from '../../src/wire/byte-sender.js'

const limits = { maxPayloadBytes: 50_000, maxWaitingBytes: 100_000 }

function receiver() {
  const onBreak = vi.fn()
  return { receiver: new ByteReceiver(limits, onBreak), onBreak }
}

/** The first byte of a payload, which makes room for all of it. */
const begun = (number: number, total: number): Buffer =>
  Buffer.concat([writeHeader({ number, total, offset: 0, length: 1 }), Buffer.alloc(1)])

test('payloads that messages wait for hold no more memory than allowed together', async () => {
  const { receiver: bytes, onBreak } = receiver()
  const taken = [1, 2, 3].map((number) => bytes.take(number, 50_000))
  const third = expect(taken[2]).rejects.toThrow('over the limit')
  for (const number of [1, 2, 3]) bytes.receive(begun(number, 50_000))
  bytes.receive(
    Buffer.concat([
      writeHeader({ number: 3, total: 50_000, offset: 1, length: 49_999 }),
      Buffer.alloc(49_999),
    ]),
  )
  await third
  expect(onBreak).not.toHaveBeenCalled()
  // The others were not harmed.
  bytes.receive(
    Buffer.concat([
      writeHeader({ number: 1, total: 50_000, offset: 1, length: 49_999 }),
      Buffer.alloc(49_999),
    ]),
  )
  expect(await taken[0]).toHaveLength(50_000)
})

test('a payload over the limit is not sent: its message fails, the next one goes', async () => {
  const sender = new ByteSender(new PassThrough(), 'nonce', 50_000)
  expect(() => sender.encode(new Bytes(Buffer.alloc(50_001)))).toThrow(
    expect.objectContaining({ codeName: 'MESSAGE_TOO_LARGE', data: { bytes: 50_001, limit: 50_000 } }),
  )
  expect(JSON.parse(sender.encode(new Bytes(Buffer.alloc(50_000))).line)).toMatchObject({ length: 50_000 })
})

test.each([
  ['wait for', (bytes: ByteReceiver, number: number) => void bytes.take(number, 10).catch(() => {})],
  ['have given up', (bytes: ByteReceiver, number: number) => bytes.discard(number, 10)],
])('messages may %s 65,536 payloads that do not come; with one more, nothing comes', (_, ask) => {
  const { receiver: bytes, onBreak } = receiver()
  for (let number = 1; number <= 65_536; number++) ask(bytes, number)
  expect(onBreak).not.toHaveBeenCalled()
  ask(bytes, 65_537)
  expect(onBreak).toHaveBeenCalledOnce()
})

test('two messages can’t refer to the same bytes; the first gets them', async () => {
  const { receiver: bytes } = receiver()
  const first = bytes.take(1, 1)
  await expect(bytes.take(1, 1)).rejects.toThrow('same bytes')
  bytes.receive(begun(1, 1))
  expect(await first).toHaveLength(1)
})
