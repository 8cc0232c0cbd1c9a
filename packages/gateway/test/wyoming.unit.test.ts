import { describe, expect, it } from 'vitest'
import { FrameReader, frameOf, type WyomingEvent } from '../src/wyoming/frames.js'
import { closestLanguage } from '../src/wyoming/language.js'
import { Queue } from '../src/wyoming/queue.js'

function eventsOf(...parts: (string | Uint8Array)[]): WyomingEvent[] {
  const reader = new FrameReader()
  return parts.flatMap((part) => [...reader.push(Buffer.from(part))])
}

describe('frames', () => {
  it('are read however they are cut, with further data over the first', () => {
    const payload = Buffer.from([0, 10, 255, 10])
    const bytes = Buffer.concat([
      frameOf('one', { text: 'ü' }, payload),
      Buffer.from('{"type":"two","data":{"a":1,"b":1},"data_length":7,"payload_length":null}\r\n{"b":2}'),
      Buffer.from('{"type":"three","data":null}\n'),
    ])
    const expected = [
      { type: 'one', data: { text: 'ü' }, payload },
      { type: 'two', data: { a: 1, b: 2 }, payload: Buffer.alloc(0) },
      { type: 'three', data: {}, payload: Buffer.alloc(0) },
    ]
    for (const size of [1, 2, 3, 7, bytes.length]) {
      const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
        bytes.subarray(index * size, (index + 1) * size),
      )
      expect(eventsOf(...parts).map(({ bytes: _, ...event }) => event)).toEqual(expected)
    }
  })

  it.each([
    ['a line without an end', 'x'.repeat(65_537)],
    ['a line that is too long', `{"type":"${'x'.repeat(65_536)}"}\n`],
    ['HTTP', 'GET / HTTP/1.1\r\n'],
    ['an empty line', '\n'],
    ['an array', '[]\n'],
    ['null', 'null\n'],
    ['no type', '{}\n'],
    ['a type that is no text', '{"type":7}\n'],
    ['data that is an array', '{"type":"a","data":[]}\n'],
    ['a negative length', '{"type":"a","payload_length":-1}\n'],
    ['a length with a fraction', '{"type":"a","data_length":1.5}\n'],
    ['a length as text', '{"type":"a","data_length":"1"}\n'],
    ['huge data', '{"type":"a","data_length":1048577}\n'],
    ['a huge payload', '{"type":"a","payload_length":1e300}\n'],
    ['further data that is no JSON', '{"type":"a","data_length":1}\n{'],
    ['further data that is no object', '{"type":"a","data_length":1}\n7'],
    ['names that harm', '{"type":"a","data":{"__proto__":{"b":1}}}\n'],
    ['what is not UTF-8', Buffer.from([0x22, 0xff, 0x22, 0x0a])],
  ])('are refused: %s', (_what, bytes) => {
    expect(() => eventsOf(bytes)).toThrow(expect.objectContaining({ code: 'invalid_event' }))
  })

  it('in front of one that is wrong are read', () => {
    const events: string[] = []
    const read = (): void => {
      for (const { type } of new FrameReader().push(Buffer.from('{"type":"ping"}\n{}\n'))) events.push(type)
    }
    expect(read).toThrow('It has no type')
    expect(events).toEqual(['ping'])
  })
})

describe('a queue', () => {
  it('gives room when its reader has taken enough, or is gone', async () => {
    const queue = new Queue<number>()
    queue.push(1, 1024 * 1024)
    queue.push(2, 0)
    const room = queue.room()
    expect(room).toBeInstanceOf(Promise)
    const reader = queue[Symbol.asyncIterator]()
    expect(await reader.next()).toEqual({ done: false, value: 1 })
    await room
    queue.push(3, 1024 * 1024)
    const more = queue.room()
    await reader.return()
    await more
    expect(queue.room()).toBeUndefined()
  })

  it('gives what was pushed before its error', async () => {
    const queue = new Queue<number>()
    queue.push(1, 0)
    queue.end({ error: new Error('broken') })
    queue.push(2, 0)
    const reader = queue[Symbol.asyncIterator]()
    expect(await reader.next()).toEqual({ done: false, value: 1 })
    await expect(reader.next()).rejects.toThrow('broken')
  })
})

it.each([
  ['en', ['de', 'en-US', 'en-GB'], 'en-US'],
  ['en_gb', ['en-US', 'en-GB'], 'en-GB'],
  ['pt-BR', ['pt-PT'], 'pt-PT'],
  ['fr', ['de'], undefined],
])('the closest language of %s in %j is %s', (wanted, known, found) => {
  expect(closestLanguage(wanted, known)).toBe(found)
})
