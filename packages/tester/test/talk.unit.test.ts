import { describe, expect, it } from 'vitest'
import type { Plugin } from '../src/api/types.js'
import { candidatesFor, needsConfig, pluginFor, readChoices } from '../src/talk/candidates.js'
import { microphoneProblem } from '../src/talk/microphone-problem.js'
import { drawTimes } from '../src/talk/picture.js'
import { Queue } from '../src/talk/queue.js'
import { keptSounds, keptTurns, messagesOf, type Times, type Turn, withoutOld } from '../src/talk/turn.js'

function plugin(name: string, more: Partial<Plugin> = {}): Plugin {
  const texts = { version: '1.0.0', display_name: null, description: null, author: null }
  const state = { valid: true, errors: [], loaded: false, status: 'UNLOADED', capabilities: [] }
  return { name, path: `/plugins/${name}`, contract: 'tts', ...texts, ...state, ...more }
}

const sound = [{ bytes: new Uint8Array(4), format: 'wav', sampleRate: undefined, channels: undefined }]

function turn(id: number, more: Partial<Turn> = {}): Turn {
  const words = { said: `question ${id}`, answer: `answer ${id} `, model: 'llm' }
  const times = { listened: 0, sentences: [] }
  return { id, state: 'done', ...words, times, troubles: [], question: sound, speech: sound, ...more }
}

describe('who has a role', () => {
  const strict = {
    name: 'strict',
    version: '1.0.0',
    contract: 'tts',
    config_schema: { type: 'object', required: ['key'], properties: { key: { type: 'string' } } },
  }
  const all = [
    plugin('strict'),
    plugin('b'),
    plugin('a'),
    plugin('ears', { contract: 'stt' }),
    plugin('broken', { valid: false }),
    plugin('z', { loaded: true }),
  ]
  const manifestOf = ({ name }: Plugin) => (name === 'strict' ? strict : undefined)
  const candidates = candidatesFor('voice', all, manifestOf)

  it('offers loaded plugins first, and last those that need a configuration', () => {
    expect(candidates.map(({ name }) => name)).toEqual(['z', 'a', 'b', 'strict'])
    expect(candidatesFor('model', all, manifestOf)).toEqual([])
  })

  it('needs no configuration where every required option has a value', () => {
    expect(needsConfig(strict)).toBe(true)
    expect(needsConfig({ ...strict, default_config: { key: 'x' } })).toBe(false)
    expect(needsConfig({ config_schema: { required: ['n'], properties: { n: { default: 1 } } } })).toBe(false)
    expect(needsConfig()).toBe(false)
  })

  it('keeps a choice, also that of none, until its plugin is gone', () => {
    expect(pluginFor({ plugin: 'b', option: '' }, candidates)?.name).toBe('b')
    expect(pluginFor({ plugin: 'gone', option: '' }, candidates)?.name).toBe('z')
    expect(pluginFor(undefined, candidates)?.name).toBe('z')
    expect(pluginFor({ plugin: null, option: '' }, candidates)).toBeUndefined()
    expect(pluginFor(undefined, [])).toBeUndefined()
  })

  it('reads what was kept, and nothing that is no choice', () => {
    const voice = { plugin: 'a', option: 'slt' }
    const ears = { plugin: null, option: '' }
    expect(readChoices({ voice, ears, model: 'a', more: voice })).toEqual({ voice, ears })
    for (const odd of [undefined, null, 7, 'voice', [], { voice: { plugin: 7, option: '' } }])
      expect(readChoices(odd)).toEqual({})
  })
})

describe('the turns of a conversation', () => {
  it('tells the model what was said so far, without turns that have no answer', () => {
    const past = [turn(1), turn(2, { answer: ' ' }), turn(3, { said: '' })]
    const user = (content: string) => ({ role: 'user', content })
    const before = [user('question 1'), { role: 'assistant', content: 'answer 1' }]
    expect(messagesOf('', past, 'now')).toEqual([...before, user('now')])
    const instructions = { role: 'system', content: 'Be brief.' }
    expect(messagesOf('Be brief.', [], 'now')).toEqual([instructions, user('now')])
  })

  it('keeps the sound of the newest turns only, and not all turns', () => {
    const all = withoutOld(Array.from({ length: keptTurns + 5 }, (_, index) => turn(index)))
    expect(all).toHaveLength(keptTurns)
    expect(all.at(-1)?.id).toBe(keptTurns + 4)
    const withSound = all.filter(({ question, speech }) => question.length + speech.length > 0)
    expect(withSound.map(({ id }) => id)).toEqual(all.slice(-keptSounds).map(({ id }) => id))
  })
})

describe('the picture of a turn', () => {
  const times: Times = {
    listened: 3000,
    heard: 40,
    firstWord: 60,
    lastWord: 300,
    firstSound: 130,
    sentences: [
      { from: 90, to: 120 },
      { from: 150, to: 400 },
    ],
  }

  it.each([1200, 300])('has everything inside its %i pixels, and no figure covers another', (width) => {
    const picture = drawTimes(times, width)
    if (!picture) throw new Error('There is no picture')
    expect(picture.rows.map(({ text }) => text)).toEqual(['listens', 'writes', 'speaks'])
    for (const { x, y, width: long, height } of picture.bars) {
      expect(x).toBeGreaterThanOrEqual(0)
      expect(x + long).toBeLessThanOrEqual(width)
      expect(y + height).toBeLessThanOrEqual(picture.height)
    }
    expect(picture.marks.map(({ text }) => text)).toEqual([
      'first word 60.0 ms',
      'first sound 130 ms',
      'last word 300 ms',
      'last sound 400 ms',
    ])
    for (const [index, { textX, textY, text }] of picture.marks.entries()) {
      expect(textY).toBeLessThanOrEqual(picture.height)
      expect(textX - text.length * 3).toBeGreaterThanOrEqual(0)
      expect(textX + text.length * 3).toBeLessThanOrEqual(width)
      for (const other of picture.marks.slice(index + 1))
        if (other.textY === textY)
          expect(other.textX - textX).toBeGreaterThan((text.length + other.text.length) * 3)
    }
  })

  it('gives a long speech no more room than the answer', () => {
    const bars = drawTimes(times, 860)?.bars ?? []
    const [listen] = bars
    expect(listen?.kind).toBe('listen')
    expect(listen?.width).toBeCloseTo(400 - 1, -1)
  })

  it('leaves out what has not happened', () => {
    expect(drawTimes({ listened: 0, sentences: [] }, 860)).toBeUndefined()
    const typed = drawTimes({ listened: 0, sentences: [], firstWord: 5, lastWord: 9 }, 860)
    expect(typed?.rows.map(({ text }) => text)).toEqual(['writes'])
  })
})

describe('a queue', () => {
  it('gives everything in order, what was pushed before its end and what comes later', async () => {
    const queue = new Queue<number>()
    queue.push(1)
    const read: number[] = []
    const reading = (async () => {
      for await (const item of queue) {
        read.push(item)
        if (item === 2) queue.push(3)
      }
    })()
    await Promise.resolve()
    queue.push(2)
    await new Promise((resolve) => setTimeout(resolve))
    queue.push(4)
    queue.end()
    queue.push(5)
    await reading
    expect(read).toEqual([1, 2, 3, 4])
  })
})

it.each([
  [new DOMException('denied', 'NotAllowedError'), /Allow it/],
  [new DOMException('none', 'NotFoundError'), /Connect one/],
  [new DOMException('busy', 'NotReadableError'), /Another program/],
  [new TypeError('mediaDevices is undefined'), /127\.0\.0\.1/],
  ['strange', /strange/],
])('says why there is no microphone: %s', (error, words) => {
  expect(microphoneProblem(error)).toMatch(words)
  expect(microphoneProblem(error)).toMatch(/Typing works without it\.$/)
})
