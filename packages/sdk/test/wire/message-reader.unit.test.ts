import { ErrorCodes } from '@appfactory/sdk'
import { describe, expect, it } from 'vitest'
import { codeOf, credit, joinPeers, rawEnd } from './pair.js'

describe('a message over the limit', () => {
  it('is not sent: the call fails at once with MESSAGE_TOO_LARGE, and others go on', async () => {
    const seen: string[] = []
    const ends = joinPeers({ maxSendBytes: 500 }, { handle: ({ method }) => seen.push(method) })
    await expect(ends.left.request('large', { text: 'ä'.repeat(300) })).rejects.toMatchObject({
      codeName: 'MESSAGE_TOO_LARGE',
      data: { limit: 500 },
    })
    await ends.left.request('small', { text: 'ä'.repeat(10) })
    expect(seen).toEqual(['small'])
  })

  it('as a result is answered by MESSAGE_TOO_LARGE', async () => {
    const { left } = joinPeers({}, { maxSendBytes: 500, handle: () => 'x'.repeat(600) })
    expect(await codeOf(left.request('x', {}))).toBe('MESSAGE_TOO_LARGE')
  })

  it('as a piece fails the stream', async () => {
    const { left } = joinPeers(
      {},
      { maxSendBytes: 500, handle: (call) => call.openStream(16).send('x'.repeat(600)) },
    )
    expect(await codeOf(left.stream('x', credit).next())).toBe('MESSAGE_TOO_LARGE')
  })

  it('from the other end is answered once, and what follows is served', async () => {
    const end = rawEnd({ maxMessageBytes: 500 })
    for (let part = 0; part < 10; part++) end.write('x'.repeat(400))
    end.write('\n')
    await end.settle()
    expect(end.received).toMatchObject([{ id: null, error: { code: ErrorCodes.MESSAGE_TOO_LARGE } }])
  })

  it('is left to who wants to act on it', async () => {
    let told = 0
    const end = rawEnd({
      maxMessageBytes: 500,
      onOversize: () => {
        told += 1
      },
    })
    end.write(`${'x'.repeat(5000)}\n`)
    await end.settle()
    expect(told).toBe(1)
    expect(end.received).toEqual([])
  })
})

describe('what is printed between the messages', () => {
  function noisy() {
    const noise: string[] = []
    return { noise, end: rawEnd({ idNonce: 'n', onNoise: (text) => noise.push(text) > 0 }) }
  }

  it.each([
    'hello from a library',
    '{"level":"info","msg":"started"}',
    '[1,2,3]',
    '[]',
    '"text"',
    '17',
    '{"jsonrpc":"1.0","id":5,"method":"x"}',
    '{"jsonrpc":"2.0","id":{},"method":"x"}',
    '{"jsonrpc":"2.0","method":',
  ])('%s is counted and never answered; calls go on', async (line) => {
    const { noise, end } = noisy()
    end.write(`${line}\n`)
    await end.settle()
    expect(end.received).toEqual([])
    expect(end.peer.counts.noise).toBe(1)
    expect(noise).toHaveLength(1)
  })

  it('empty lines are not even noise', async () => {
    const { end } = noisy()
    end.write('\n  \n\r\n')
    await end.settle()
    expect(end.peer.counts.noise).toBe(0)
  })

  it('that is not UTF-8 is noise too', async () => {
    const { noise, end } = noisy()
    end.write(Uint8Array.of(0xff, 0xfe, 0x0a))
    await end.settle()
    expect(noise).toHaveLength(1)
  })

  it('without a line end does not cost the message behind it', async () => {
    const { noise, end } = noisy()
    const call = end.peer.request('x', {})
    end.write('progress 50%… {"jsonrpc":"2.0","id":"n:1","result":{"text":"ä"}}\n')
    expect(await call).toEqual({ text: 'ä' })
    expect(noise).toEqual(['progress 50%… '])
    expect(end.peer.counts.noise).toBe(1)
  })

  it('that begins like a message does not cost the one behind it', async () => {
    const { end } = noisy()
    const call = end.peer.request('x', {})
    end.write('{"jsonrpc":"2.0","id":"n:1","res{"jsonrpc":"2.0","id":"n:1","result":5}\n')
    expect(await call).toBe(5)
  })

  it('does not cost a message that holds another one', async () => {
    const { end } = noisy()
    const call = end.peer.request('x', {})
    const inner = { jsonrpc: '2.0', id: 9, method: 'inner' }
    end.write(`noise${JSON.stringify({ jsonrpc: '2.0', id: 'n:1', result: { inner } })}\n`)
    expect(await call).toEqual({ inner })
  })

  it('that is not UTF-8 does not cost the message behind it', async () => {
    const { end } = noisy()
    const call = end.peer.request('x', {})
    end.write(Uint8Array.of(0xfc, 0x20))
    end.write('{"jsonrpc":"2.0","id":"n:1","result":5}\n')
    expect(await call).toBe(5)
  })
})

it('every message arrives through every split of its bytes', async () => {
  const end = rawEnd({ handle: ({ params }) => params })
  const line = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"x","params":{"t":"ä🎉—"}}\n')
  for (let at = 0; at <= line.length; at++) {
    end.write(line.subarray(0, at))
    await new Promise(setImmediate)
    end.write(line.subarray(at))
    await end.settle()
  }
  end.received.forEach((message) => {
    expect(message).toMatchObject({ id: 1, result: { t: 'ä🎉—' } })
  })
  expect(end.received).toHaveLength(line.length + 1)
  end.received.length = 0
  for (const byte of line) end.write(Uint8Array.of(byte))
  await end.settle()
  expect(end.received).toMatchObject([{ id: 1, result: { t: 'ä🎉—' } }])
})
