import { text } from 'node:stream/consumers'
import { PluginError } from '@appfactory/sdk'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { LinkFigures } from '../src/figures.js'
import { controlData, frameKinds, frameOf } from '../src/frames.js'
import type { NatsLink } from '../src/nats-link.js'
import { Pulse } from '../src/pulse.js'
import { Budget } from '../src/window.js'
import { endOf, linkOver, windows } from './links.js'
import { MemoryServer } from './memory-bus.js'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function turns(count = 10): Promise<void> {
  for (let index = 0; index < count; index++) await turn()
}

function twoBuses() {
  const server = new MemoryServer()
  return [server.connect(), server.connect()] as const
}

describe('a link', () => {
  it('carries lines and bytes both ways, in order and whole', async () => {
    const [caller, node] = linkOver(...twoBuses())
    const lines = Array.from({ length: 3000 }, (_, index) => `${index}:${'ä'.repeat(index % 700)}\n`).join('')
    const bytes = Buffer.alloc(3_000_000, 'sound')
    const received = Promise.all([text(node.input), text(caller.input), text(node.bytes), text(caller.bytes)])
    for (const link of [caller, node]) {
      link.output.end(lines)
      link.bytes.write(bytes)
      link.bytes.end()
    }
    // Bytes end with the link.
    await turns(200)
    for (const link of [caller, node]) link.close()
    const [there, back, bytesThere, bytesBack] = await received
    expect(there).toBe(lines)
    expect(back).toBe(lines)
    expect(bytesThere).toBe(bytes.toString())
    expect(bytesBack).toBe(bytes.toString())
  })

  it('sends no more than the other end takes, and goes on when it is read', async () => {
    const figures = new LinkFigures()
    const [caller, node] = linkOver(...twoBuses(), { figures })
    caller.output.write('x'.repeat(3_000_000))
    caller.bytes.write(Buffer.alloc(1_000_000))
    await turns()
    // Once for lines and once for bytes, however often is looked.
    expect(figures).toMatchObject({ stalls: 2, resumes: 0 })
    expect(node.input.readableLength).toBe(windows.lines)
    expect(node.bytes.readableLength).toBe(windows.bytes)
    expect(caller.output.writableNeedDrain).toBe(true)
    let read = 0
    node.input.on('data', (chunk: Buffer) => {
      read += chunk.length
    })
    await turns(50)
    expect(read).toBe(3_000_000)
    expect(caller.output.writableNeedDrain).toBe(false)
    expect(node.bytes.readableLength).toBe(windows.bytes)
  })

  it('counts what its reader was given while it had paused', async () => {
    const [caller, node] = linkOver(...twoBuses())
    const chunks: string[] = []
    node.input.on('data', (chunk: Buffer) => {
      chunks.push(chunk.toString())
      node.input.pause()
    })
    for (const line of ['a\n', 'b\n', 'c\n']) {
      caller.output.write(line)
      await turns(2)
    }
    expect([chunks, node.input.taken]).toEqual([['a\n'], 2])
    node.input.resume()
    await turns(2)
    expect([chunks, node.input.taken]).toEqual([['a\n', 'b\n'], 4])
  })

  it('has its least room where other links have used up the connection', async () => {
    const [bus, node] = twoBuses()
    const budget = new Budget(100_000)
    const [slow, slowNode] = linkOver(bus, node, { budget })
    slow.output.write('x'.repeat(500_000))
    await turns()
    expect(slowNode.input.readableLength).toBe(100_000)
    const [caller, other] = linkOver(bus, node, { budget })
    caller.output.write('x'.repeat(500_000))
    await turns()
    expect(other.input.readableLength).toBe(64 * 1024)
    // The others go on when the slow one is read, or is gone.
    slow.close(new PluginError('REQUEST_CANCELLED', 'enough'))
    await turns()
    expect(other.input.readableLength).toBe(100_000)
  })

  it('tells the other end that it is closed, after all that was written', async () => {
    const [caller, node] = linkOver(...twoBuses())
    const received = text(node.input)
    caller.output.write('last words\n')
    caller.close()
    caller.close()
    expect(await received).toBe('last words\n')
    expect(await node.closed).toBeUndefined()
    expect(await caller.closed).toBeUndefined()
  })

  it('tells the other end why it is broken', async () => {
    const [caller, node] = linkOver(...twoBuses())
    node.close(new PluginError('RESOURCE_EXHAUSTED', 'You do not read', { limit: 1 }))
    expect(await caller.closed).toMatchObject({
      codeName: 'RESOURCE_EXHAUSTED',
      message: 'You do not read',
      data: { limit: 1 },
    })
    expect(await node.closed).toMatchObject({ codeName: 'RESOURCE_EXHAUSTED' })
  })

  it('takes what is written after its end, and sends it nowhere', async () => {
    const [caller, node] = linkOver(...twoBuses())
    node.close(new PluginError('RESOURCE_EXHAUSTED', 'enough'))
    await caller.closed
    const written = new Promise((resolve) =>
      caller.output.write('{"id":7,"method":"plugin/call"}\n', resolve),
    )
    expect(await written).toBeFalsy()
    expect(Buffer.concat(caller.undelivered).toString()).toContain('"id":7')
  })

  it('is silent while nobody waits for anything', async () => {
    const [bus, other] = twoBuses()
    const pulse = new Pulse()
    const [caller, node] = linkOver(bus, other, { pulse })
    node.input.resume()
    caller.output.write('x\n')
    // What was sent last is asked about once.
    for (let index = 0; index < 10; index++) {
      pulse.tick()
      await turns(2)
    }
    const [sent, answered] = [bus.published, other.published]
    for (let index = 0; index < 100; index++) pulse.tick()
    await turns()
    expect([bus.published, other.published]).toEqual([sent, answered])
  })
})

describe('a frame that is wrong breaks its link, with a reason:', () => {
  const lines = (seq: number, taken = 0): Buffer =>
    frameOf({ kind: frameKinds.lines, seq, takenLines: taken, takenBytes: 0 }, Buffer.from('{}\n'))

  it.each([
    ['one that is cut', [lines(1).subarray(0, 5)], /can’t be read: it has 5 bytes/],
    ['one of no kind', [Buffer.alloc(20)], /can’t be read: its kind is 0/],
    ['one too early', [lines(2)], /frame 1 was lost/],
    ['one that overtakes another', [lines(1), lines(3), lines(2)], /frame 2 was lost/],
    ['one that takes in what was never sent', [lines(1, 10)], /taken in more than was sent/],
    ['one that goes back', [lines(4_294_967_000)], undefined],
    ['the same one again', [lines(1), lines(1), lines(1)], undefined],
    [
      'a last one that is lost',
      [
        frameOf(
          { kind: frameKinds.control, seq: 1, takenLines: 0, takenBytes: 0 },
          controlData({ ask: true, resume: false, received: 0 }),
        ),
      ],
      /frame 1 was lost/,
    ],
    [
      'an end that tells of what it can’t have',
      [
        frameOf(
          { kind: frameKinds.control, seq: 0, takenLines: 0, takenBytes: 0 },
          controlData({ ask: true, resume: true, received: 9 }),
        ),
      ],
      /it tells of frame 9/,
    ],
  ])('%s', async (_, frames, reason) => {
    const [bus, other] = twoBuses()
    const link = endOf(bus, { here: 'back.web.x', there: 'to.gpu.web.x', peer: 'node gpu' })
    const told: Buffer[] = []
    other.subscribe('to.gpu.web.x.*', ({ data }) => told.push(Buffer.from(data)))
    let read = ''
    link.input.on('data', (chunk) => {
      read += chunk
    })
    for (const frame of frames) other.publish('back.web.x.f', frame)
    await turns()
    if (reason === undefined) {
      expect(read).toBe(frames.length > 1 ? '{}\n' : '')
      link.close()
    }
    const error = await link.closed
    if (reason === undefined) expect(error).toBeUndefined()
    else {
      expect(error).toMatchObject({ codeName: 'PLUGIN_CRASHED', data: { lost: 'link' } })
      expect(error?.message).toMatch(reason)
      expect(error?.message).toContain('node gpu')
      // The other end learns of it.
      expect(told.at(-1)?.[0]).toBe(frameKinds.close)
    }
  })

  it('more than this end takes', async () => {
    const [bus, other] = twoBuses()
    const takes = { lines: 5, bytes: 5 }
    const link = endOf(bus, { here: 'back.web.x', there: 'to.gpu.web.x', peer: 'node gpu', takes })
    other.publish('back.web.x.f', lines(1))
    other.publish('back.web.x.f', lines(2))
    expect((await link.closed)?.message).toMatch(/1 bytes of lines more than this end takes/)
  })
})

describe('an end that is lost', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** A tick is 50 ms. */
  async function ticks(count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      vi.advanceTimersByTime(50)
      await turns(4)
    }
  }

  /** The caller waits for an answer that does not come; what the node receives is collected. */
  function waiting(resumeMs = 5000) {
    const [bus, other] = twoBuses()
    const figures = new LinkFigures()
    const [caller, node] = linkOver(bus, other, { resumeMs, figures })
    caller.watch(() => true)
    return { figures, bus, other, caller, node, received: text(node.input) }
  }

  const settled = (link: NatsLink): Promise<unknown> =>
    Promise.race([link.closed, turns(3).then(() => 'open')])

  it('is noticed where nobody has subscribed any more, with what was not read', async () => {
    const { other, caller } = waiting()
    caller.output.write('{"id":1}\n')
    await turns()
    // Its process has ended without a word.
    other.change({ type: 'lost' })
    caller.output.write('{"id":2}\n')
    await turns()
    caller.output.write('{"id":3}\n')
    await ticks(1)
    expect(await settled(caller)).toBe('open')
    await ticks(1)
    expect(await caller.closed).toMatchObject({ codeName: 'PLUGIN_CRASHED', data: { lost: 'node' } })
    caller.output.write('{"id":4}\n')
    expect(Buffer.concat(caller.undelivered).toString()).toBe('{"id":2}\n{"id":3}\n{"id":4}\n')
  })

  it('is noticed while it is only waited for, within 300 ms', async () => {
    const { other, caller } = waiting()
    caller.output.write('{"id":1}\n')
    await ticks(20)
    expect(await settled(caller)).toBe('open')
    other.change({ type: 'lost' })
    await ticks(6)
    expect(await caller.closed).toMatchObject({ data: { lost: 'node' } })
    expect(caller.undelivered).toEqual([])
  })

  it('is noticed by its silence, after three beats', async () => {
    const server = new MemoryServer()
    // It has subscribed, and does not answer.
    server.connect().subscribe('to.gpu.web.x.*', () => {})
    const caller = endOf(server.connect(), { here: 'back.web.x', there: 'to.gpu.web.x', peer: 'node gpu' })
    caller.watch(() => true)
    await ticks(13)
    expect(await settled(caller)).toBe('open')
    await ticks(3)
    expect(await caller.closed).toMatchObject({ codeName: 'PLUGIN_CRASHED', data: { lost: 'node' } })
  })

  it('is noticed by a node that does nothing for the caller, when it looks', async () => {
    const { bus, node } = waiting()
    bus.change({ type: 'lost' })
    await ticks(20)
    expect(await settled(node)).toBe('open')
    node.probe()
    await ticks(13)
    expect(await settled(node)).toBe('open')
    await ticks(3)
    expect(await node.closed).toMatchObject({ data: { lost: 'node' } })
  })

  it('is given three beats for a new connection, where it is a caller', async () => {
    const { bus, caller, node, received } = waiting()
    const answers = text(caller.input)
    bus.change({ type: 'lost' })
    node.output.write('a\n')
    caller.output.write('1\n')
    await ticks(13)
    bus.change({ type: 'back' })
    await ticks(3)
    caller.output.end('2\n')
    node.output.end('b\n')
    expect([await received, await answers]).toEqual(['1\n2\n', 'a\nb\n'])
  })

  it('hears at once that it has been given up, when it is back', async () => {
    const { bus, caller, node } = waiting()
    bus.change({ type: 'lost' })
    node.output.write('a\n')
    await ticks(17)
    expect(await settled(node)).toMatchObject({ data: { lost: 'node' } })
    bus.change({ type: 'back' })
    await ticks(1)
    expect(await settled(caller)).toMatchObject({ codeName: 'PLUGIN_CRASHED', data: { lost: 'link' } })
  })

  it('is not waited for while it is there and silent, though the connection has just come back', async () => {
    const server = new MemoryServer()
    const bus = server.connect()
    server.connect().subscribe('to.gpu.web.x.*', () => {})
    const caller = endOf(bus, { here: 'back.web.x', there: 'to.gpu.web.x', peer: 'node gpu' })
    caller.watch(() => true)
    bus.change({ type: 'lost' })
    await ticks(2)
    bus.change({ type: 'back' })
    expect(caller.isCut).toBe(true)
    await ticks(13)
    expect(await settled(caller)).toBe('open')
    await ticks(3)
    expect(await caller.closed).toMatchObject({ data: { lost: 'node' } })
  })

  it('is there again after a moment, and has lost nothing', async () => {
    const { other, caller, node, received } = waiting()
    caller.output.write('1\n')
    await turns()
    other.change({ type: 'lost' })
    caller.output.write('2\n')
    node.output.write('back\n')
    await turns()
    caller.output.write('3\n')
    await ticks(1)
    other.change({ type: 'back' })
    await turns()
    await ticks(2)
    caller.output.end('4\n')
    expect(await received).toBe('1\n2\n3\n4\n')
    expect(caller.input.read()?.toString()).toBe('back\n')
    expect(caller.undelivered).toEqual([])
  })

  it('is waited for longer where a server of the bus has gone', async () => {
    const { bus, other, caller, received } = waiting()
    other.change({ type: 'lost' })
    bus.change({ type: 'moved' })
    caller.output.end('1\n')
    await ticks(60)
    expect(await settled(caller)).toBe('open')
    other.change({ type: 'back' })
    expect(await received).toBe('1\n')
  })

  it.each(['caller', 'node', 'both'])('resumes where the connection of %s was lost', async (who) => {
    const { bus, other, caller, node, received, figures } = waiting()
    const buses = { caller: [bus], node: [other], both: [bus, other] }[who] ?? []
    const answers = text(caller.input)
    caller.output.write('1\n')
    node.output.write('a\n')
    await turns()
    for (const each of buses) {
      // What is sent in the moment before it is noticed is lost.
      each.isConnected = false
      caller.output.write('2\n')
      node.output.write('b\n')
      await turns()
      each.change({ type: 'lost' })
    }
    if (who !== 'node') bus.change({ type: 'moved' })
    if (who !== 'caller') other.change({ type: 'moved' })
    caller.output.write('3\n')
    node.output.write('c\n')
    for (const each of [bus, other]) if (!buses.includes(each)) each.change({ type: 'moved' })
    await ticks(10)
    for (const each of buses.toReversed()) {
      each.change({ type: 'back' })
      await ticks(3)
    }
    caller.output.end('4\n')
    node.output.end('d\n')
    expect(figures.resumes).toBeGreaterThan(0)
    const twice = who === 'both' ? ['2\n', 'b\n'] : ['', '']
    expect(await received).toBe(`1\n2\n${twice[0]}3\n4\n`)
    expect(await answers).toBe(`a\nb\n${twice[1]}c\nd\n`)
  })

  it('whose connection is away for too long has lost its link', async () => {
    const { bus, caller, node } = waiting(1000)
    bus.change({ type: 'lost' })
    caller.output.write('{"id":1}\n')
    await ticks(19)
    expect(await settled(caller)).toBe('open')
    await ticks(2)
    expect(await caller.closed).toMatchObject({ codeName: 'PLUGIN_CRASHED', data: { lost: 'link' } })
    expect(Buffer.concat(caller.undelivered).toString()).toBe('{"id":1}\n')
    node.close()
  })

  it('that is not there after the connection has come back has lost its link', async () => {
    const { bus, other, caller } = waiting(1000)
    other.change({ type: 'lost' })
    bus.change({ type: 'lost' })
    await ticks(5)
    bus.change({ type: 'back' })
    await ticks(14)
    expect(await settled(caller)).toBe('open')
    await ticks(2)
    expect(await caller.closed).toMatchObject({ data: { lost: 'node' } })
  })

  it('may not use its subjects any more', async () => {
    const { bus, caller } = waiting()
    bus.change({ type: 'refused', operation: 'publish', subject: 'to.gpu.other.f' })
    expect(await settled(caller)).toBe('open')
    const subject = caller.subject
    bus.change({ type: 'refused', operation: 'publish', subject: `${subject}.f` })
    expect((await caller.closed)?.message).toContain(`does not allow this user the publish of ${subject}.f`)
  })

  it('has closed the bus', async () => {
    const { bus, caller } = waiting()
    bus.change({ type: 'closed' })
    expect((await caller.closed)?.message).toContain('the connection to NATS is closed')
  })
})
