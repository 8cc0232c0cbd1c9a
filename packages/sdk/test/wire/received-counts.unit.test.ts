import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { MessageReader } from '../../src/wire/message-reader.js'
import { ReceivedCounts } from '../../src/wire/received-counts.js'

it('lines of nothing, as many as there are, are not read as if they were asked for', async () => {
  for (const hasMoved of [false, true]) {
    const counts = new ReceivedCounts()
    const [input, other] = [new PassThrough(), new PassThrough()]
    const reader = new MessageReader(
      { input, maxBytes: 1000, strict: false, idMark: 'n:' },
      {
        onMessage: () => counts.countReply(true),
        onBatch: () => {},
        onBroken: () => {},
        onUnparsable: () => {},
        onNoise: () => counts.countNoise(true),
        onBlank: () => counts.countBlank(),
        onOversize: () => {},
        onEnd: () => {},
        isAwaited: () => true,
        roomFor: () => Number.POSITIVE_INFINITY,
        worth: () => 'asked',
      },
    )
    if (hasMoved) reader.moveTo(other)
    input.end('\n'.repeat(900) + ' \n'.repeat(100))
    await once(input, 'end')
    expect(counts.worth()).toBe('dropped')
    expect(counts.noise).toBe(0)
    counts.countReply(true)
    expect(counts.worth()).toBe('asked')
  }
})
