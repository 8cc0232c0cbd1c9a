import { PassThrough, Writable } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LineSplitter, LineWriter } from '../../src/wire/lines.js'

/** What comes out when `chunks` go in. */
function split(chunks: Iterable<Uint8Array>, maxBytes?: number) {
  const lines: (string | undefined)[] = []
  let oversize = 0
  const splitter = new LineSplitter(
    {
      onLine: (line) => lines.push(typeof line === 'string' ? line : undefined),
      onOversize: () => {
        oversize += 1
      },
    },
    maxBytes,
  )
  for (const chunk of chunks) splitter.push(chunk)
  splitter.end()
  return { lines, oversize }
}

const text = 'äöü — 今日は 🎉\n{"a":"b"}\n\nlast'

describe('lines are intact', () => {
  it('cut in two anywhere', () => {
    const bytes = Buffer.from(text)
    for (let at = 0; at <= bytes.length; at++) {
      expect(split([bytes.subarray(0, at), bytes.subarray(at)]).lines).toEqual(text.split('\n'))
    }
  })

  it('byte by byte', () => {
    const bytes = Buffer.from(text)
    expect(split([...bytes].map((byte) => Uint8Array.of(byte))).lines).toEqual(text.split('\n'))
  })

  it('byte by byte, and keep little more than themselves meanwhile', () => {
    const bytes = Buffer.alloc(500_000, 'äöü')
    // Without garbage: what is kept is asked for, not when it is collected.
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    collect()
    const before = process.memoryUsage()
    let most = 0
    function* singly() {
      for (let at = 0; at < bytes.length; at++) {
        yield bytes.subarray(at, at + 1)
        if (at % 50_000 === 0) {
          collect()
          const { heapUsed, external } = process.memoryUsage()
          most = Math.max(most, heapUsed + external - before.heapUsed - before.external)
        }
      }
    }
    expect(split(singly()).lines).toEqual([bytes.toString()])
    expect(most).toBeLessThan(32 * 1024 * 1024)
  })

  it('whatever they say and however they are cut', () => {
    const line = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 30 })
      .filter((each) => !each.includes('\n'))
    fc.assert(
      fc.property(fc.array(line, { maxLength: 10 }), fc.array(fc.nat(10)), (lines, lengths) => {
        const expected = lines.map(withoutMark)
        expect(split(cut(Buffer.from(lines.map((each) => `${each}\n`).join('')), lengths)).lines).toEqual(
          expected,
        )
      }),
      { numRuns: 100 },
    )
  })
})

describe('bytes that are not UTF-8', () => {
  it.each([
    ['a stray continuation', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['half a character', [0xe4, 0xb8]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['Latin-1', [0x66, 0xfc, 0x72]],
    ['past the end of Unicode', [0xf4, 0x90, 0x80, 0x80]],
  ])('%s: the line is told as broken, the next is intact', (_, bytes) => {
    const { lines } = split([Uint8Array.from(bytes), Buffer.from('\nnext\n')])
    expect(lines).toEqual([undefined, 'next'])
  })
})

describe('a line over the limit', () => {
  it('is told once, as soon as it is known, and skipped up to the next LF', () => {
    const told: string[] = []
    const splitter = new LineSplitter(
      { onLine: (line) => told.push(`line ${String(line)}`), onOversize: () => told.push('oversize') },
      4,
    )
    splitter.push(Buffer.from('abcd\nabcde'))
    expect(told).toEqual(['line abcd', 'oversize'])
    splitter.push(Buffer.from('fghijklmnop'))
    splitter.push(Buffer.from('q\nnext\n'))
    expect(told).toEqual(['line abcd', 'oversize', 'line next'])
  })

  it('counts bytes, not characters', () => {
    expect(split([Buffer.from('ää\n')], 4)).toEqual({ lines: ['ää'], oversize: 0 })
    expect(split([Buffer.from('äää\n')], 4)).toEqual({ lines: [], oversize: 1 })
  })

  it('may be the last of the input', () => {
    expect(split([Buffer.from('abcdefgh')], 4)).toEqual({ lines: [], oversize: 1 })
  })
})

it('a byte order mark is no part of a line', () => {
  expect(split([Buffer.from('\u{feff}{}\n')]).lines).toEqual(['{}'])
})

it('an input that ends with LF has no line after it', () => {
  expect(split([Buffer.from('a\n')]).lines).toEqual(['a'])
  expect(split([]).lines).toEqual([])
})

describe('LineWriter', () => {
  it('writes the lines of one turn together, in order', async () => {
    const chunks: string[] = []
    const writer = new LineWriter(collector(chunks))
    writer.write('a')
    writer.write('ü')
    expect(chunks).toEqual([])
    await new Promise(setImmediate)
    expect(chunks).toEqual(['a\nü\n'])
  })

  it('writes what follows in the same turn together, at its end', async () => {
    const chunks: string[] = []
    const writer = new LineWriter(collector(chunks))
    for (const line of ['a', 'b', 'c']) {
      writer.write(line)
      await new Promise<void>((resolve) => process.nextTick(resolve))
    }
    expect(chunks).toEqual(['a\n'])
    await new Promise(setImmediate)
    expect(chunks).toEqual(['a\n', 'b\nc\n'])
  })

  it('writes at once what is flushed, and once only', async () => {
    const chunks: string[] = []
    const writer = new LineWriter(collector(chunks))
    writer.write('a')
    writer.flush()
    expect(chunks).toEqual(['a\n'])
    await new Promise(setImmediate)
    expect(chunks).toEqual(['a\n'])
  })

  it('writes nothing once it is closed', async () => {
    const chunks: string[] = []
    const writer = new LineWriter(collector(chunks))
    writer.write('a')
    writer.close()
    writer.write('b')
    await new Promise(setImmediate)
    expect(chunks).toEqual([])
  })

  it('says when a slow reader has caught up', async () => {
    const output = new PassThrough({ highWaterMark: 10 })
    const writer = new LineWriter(output)
    expect(writer.caughtUp()).toBeUndefined()
    writer.write('x'.repeat(100))
    writer.flush()
    const caughtUp = writer.caughtUp()
    expect(caughtUp).toBeInstanceOf(Promise)
    output.resume()
    await caughtUp
    expect(writer.caughtUp()).toBeUndefined()
  })

  it('lets nobody wait for a reader that is gone', async () => {
    const output = new PassThrough({ highWaterMark: 10 })
    const writer = new LineWriter(output)
    writer.write('x'.repeat(100))
    writer.flush()
    const caughtUp = writer.caughtUp()
    output.destroy()
    await caughtUp
    expect(writer.caughtUp()).toBeUndefined()
  })
})

function collector(chunks: string[]): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk.toString())
      done()
    },
  })
}

function cut(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const parts: Buffer[] = []
  let start = 0
  for (const length of lengths) {
    parts.push(bytes.subarray(start, start + length))
    start += length
  }
  return [...parts, bytes.subarray(start)]
}

function withoutMark(line: string): string {
  return line.startsWith('\u{feff}') ? line.slice(1) : line
}
