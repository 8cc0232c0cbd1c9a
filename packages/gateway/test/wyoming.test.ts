import type { PluginHost } from '@appfactory/host'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Gateway, GatewayOptions } from '../src/index.js'
import { post, send, serve, startHost } from './visitor.js'
import { typesOf, WyomingVisitor } from './wyoming-visitor.js'

const everything = ['wave_tts', 'tone_tts', 'echo_stt', 'whole_stt', 'tool_llm']

let host: PluginHost
beforeAll(async () => {
  host = await startHost(everything)
  // What is loaded last is active.
  for (const name of ['wave_tts', 'echo_stt']) {
    await host.unload(name)
    await host.load(name)
  }
})
afterAll(() => host.close({ force: true }))

const format = { rate: 16_000, width: 2, channels: 1 }

async function serveAll(options: Pick<GatewayOptions, 'limits' | 'onError'> = {}): Promise<Gateway> {
  return serve(host, {
    wyoming: [{ port: 0 }, { port: 0, plugin: 'tone_tts' }, { port: 0, plugin: 'whole_stt' }],
    ...options,
  })
}

/** @param index Of the port. */
async function enter({ wyoming }: Gateway, index = 0): Promise<WyomingVisitor> {
  return WyomingVisitor.enter(wyoming[index]?.port)
}

/** Samples of a steep ramp. */
function samples(count: number): Buffer {
  return Buffer.from(Int16Array.from({ length: count }, (_, index) => (index % 100) * 100).buffer)
}

describe('describe', () => {
  it('lists all plugins, the active ones first, completely', async () => {
    const client = await enter(await serveAll())
    client.send('describe')
    const [info] = await client.until('info')
    const attribution = { name: 'wave_tts', url: '' }
    const common = { attribution, installed: true, version: '1.0.0' }
    expect(info?.data).toMatchObject({
      asr: [
        {
          name: 'echo_stt',
          supports_transcript_streaming: true,
          models: [{ name: 'echo_stt', languages: ['en-US'], installed: true, description: 'echo_stt' }],
        },
        { name: 'whole_stt', supports_transcript_streaming: false, models: [{ languages: ['de-DE'] }] },
      ],
      tts: [
        {
          ...common,
          name: 'wave_tts',
          supports_synthesize_streaming: true,
          voices: [
            { ...common, name: 'low', description: 'Low', languages: ['en-US'], speakers: null },
            { ...common, name: 'high' },
          ],
        },
        { name: 'tone_tts', voices: [{ name: 'low' }] },
      ],
      handle: [
        {
          name: 'tool_llm',
          attribution: { name: 'Test', url: '' },
          supports_handled_streaming: true,
          supports_home_control: false,
          models: [{ name: 'large:v1', description: 'Large', languages: [] }, { name: 'org/small' }],
        },
      ],
      ...{ intent: [], wake: [], mic: [], snd: [] },
    })
  })

  it('on a port of one plugin lists that', async () => {
    const client = await enter(await serveAll(), 1)
    client.send('describe')
    const [info] = await client.until('info')
    expect(info?.data).toMatchObject({ asr: [], tts: [{ name: 'tone_tts' }], handle: [] })
  })
})

describe('speech', () => {
  it('comes as samples at the rate of the plugin', async () => {
    const client = await enter(await serveAll())
    client.send('synthesize', { text: 'Hello there.', voice: { name: 'high', speaker: null } })
    const events = await client.until('audio-stop')
    expect(typesOf(events)).toEqual(['audio-start', 'audio-chunk', 'audio-stop'])
    const chunks = events.slice(1, -1)
    for (const { data } of [events[0] ?? { data: {} }, ...chunks]) expect(data).toEqual(format)
    // 10 ms a character.
    expect(chunks.reduce((sum, { payload }) => sum + payload.length, 0)).toBe(12 * 320)
  })

  it('begins before the text has ended', async () => {
    const client = await enter(await serveAll())
    client.send('synthesize-start', { voice: { language: 'en' } })
    client.send('synthesize-chunk', { text: 'The first sentence. And the ' })
    expect(typesOf(await client.until('audio-chunk'))).toEqual(['audio-start', 'audio-chunk'])
    client.send('synthesize-chunk', { text: 'second.' })
    client.send('synthesize', { text: 'The first sentence. And the second.' })
    client.send('synthesize-stop')
    const rest = await client.until('synthesize-stopped')
    expect(typesOf(rest).slice(-2)).toEqual(['audio-stop', 'synthesize-stopped'])
    expect(typesOf(rest)).not.toContain('audio-start')
    client.send('synthesize', { text: 'Next.' })
    expect(typesOf(await client.until('audio-stop'))).toContain('audio-chunk')
  })

  it.each(['', ' \n'])('of %j is no sound, and has an end', async (text) => {
    const client = await enter(await serveAll())
    client.send('synthesize', { text })
    expect(typesOf(await client.until('audio-stop'))).toEqual(['audio-start', 'audio-stop'])
    client.send('synthesize-start')
    client.send('synthesize-chunk', { text })
    client.send('synthesize-stop')
    const types = typesOf(await client.until('synthesize-stopped'))
    expect(types).toEqual(['audio-start', 'audio-stop', 'synthesize-stopped'])
  })

  it('is of the program that was selected, or has the voice', async () => {
    const client = await enter(await serveAll())
    client.send('select-program', { name: 'tone_tts' })
    client.send('synthesize', { text: 'one', voice: { name: 'low' } })
    expect(await client.next()).toMatchObject({ type: 'audio-start' })
    const chunks = await client.until('audio-stop')
    expect(chunks.reduce((sum, { payload }) => sum + payload.length, 0)).toBe(3200)
  })

  it('is held up by a client that reads slowly, and ends when it goes', async () => {
    const gateway = await serveAll()
    const client = await enter(gateway, 1)
    const told = async (): Promise<{ made: number; aborts: number }> => {
      const { body } = await post(gateway.port, '/v1/audio/speech', {
        ...{ model: 'tone_tts', input: '/count' },
      })
      return JSON.parse(JSON.parse(body).error.message)
    }
    const { aborts } = await told()
    client.send('synthesize', { text: '/endless' })
    client.socket.pause()
    let last = -1
    await expect
      .poll(async () => {
        const { made } = await told()
        const stands = made === last && made > 0
        last = made
        return stands
      })
      .toBe(true)
    client.socket.destroy()
    await expect.poll(async () => (await told()).aborts).toBe(aborts + 1)
  })
})

describe('transcription', () => {
  it('is streamed where the plugin listens meanwhile', async () => {
    const client = await enter(await serveAll())
    client.send('transcribe', { language: 'en', name: null })
    client.send('audio-start', { ...format, timestamp: null })
    client.send('audio-chunk', { ...format, timestamp: 0 }, samples(100))
    client.send('audio-chunk', format, samples(100))
    client.send('audio-stop', { timestamp: null })
    const events = await client.until('transcript-stop')
    expect(events.map(({ type, data }) => [type, data])).toEqual([
      ['transcript-start', { language: 'en-US' }],
      ['transcript-chunk', { text: 'one' }],
      ['transcript-chunk', { text: ' two' }],
      ['transcript-chunk', { text: ' 2' }],
      ['transcript', { text: 'one two 2', language: 'en-US' }],
      ['transcript-stop', {}],
    ])
  })

  it('of any rate, width and number of channels: the plugin gets 16 kHz mono', async () => {
    const gateway = await serveAll()
    const loud = 16_384
    const wide = (bytes: number): Buffer => {
      const one = Buffer.alloc(bytes)
      one.writeIntLE(loud, bytes - 2, 2)
      return Buffer.concat(Array.from({ length: 9600 }, () => one))
    }
    for (const [rate, width, channels, payload] of [
      [16_000, 2, 1, wide(2)],
      [48_000, 2, 2, wide(2)],
      [8000, 1, 1, Buffer.alloc(9600, 128 + 64)],
      [44_100, 3, 1, wide(3)],
      [16_000, 4, 6, wide(4)],
    ] as const) {
      const client = await enter(gateway, 2)
      const sound = { rate, width, channels }
      client.send('transcribe', { language: 'de', transcript_names: ['Ada'], transcript_terms: ['lamp'] })
      client.send('audio-start', sound)
      const half = payload.length / 2
      client.send('audio-chunk', sound, payload.subarray(0, half))
      client.send('audio-chunk', sound, payload.subarray(half))
      client.send('audio-stop')
      const [event] = await client.until('transcript')
      expect(event?.data).toMatchObject({ language: 'de-DE' })
      const heard = JSON.parse(String(event?.data['text']))
      expect(heard).toMatchObject({ sampleRate: 16_000, channels: 1, prompt: 'Ada, lamp' })
      const frames = payload.length / width / channels
      expect(Math.abs(heard.samples - (frames * 16_000) / rate)).toBeLessThan(2)
      expect(Math.abs(heard.peak - loud)).toBeLessThan(2500)
    }
  })

  it.each([0, 1])('of no sound is an empty text (port %i)', async (index) => {
    const client = await enter(await serveAll(), 2 * index)
    client.send('audio-start', format)
    client.send('audio-chunk', format)
    client.send('audio-stop')
    expect((await client.until('transcript')).at(-1)?.data).toEqual({ text: '' })
  })
})

describe('handle', () => {
  it('streams the answer of a language model', async () => {
    const client = await enter(await serveAll())
    client.send('transcript', { text: 'Turn it on', language: 'en', context: { conversation_id: 'a' } })
    const events = await client.until('handled-stop')
    expect(typesOf(events)).toEqual(['handled-start', 'handled-chunk', 'handled', 'handled-stop'])
    expect(events.at(-2)?.data).toEqual({ text: 'Turn it on' })
  })

  it('streams whole characters where the model cuts them', async () => {
    const client = await enter(await serveAll())
    client.send('transcript', { text: '/units x y😀z' })
    const chunks = (await client.until('handled-stop')).filter(({ type }) => type === 'handled-chunk')
    expect(chunks.map(({ data }) => data)).toEqual([{ text: 'y' }, { text: '😀' }, { text: 'z' }])
    // Nothing completes it, and nothing is lost.
    client.send('transcript', { text: '/units x y\ud83d' })
    const half = (await client.until('handled-stop')).filter(({ type }) => type.startsWith('handled'))
    expect(half.map(({ data }) => data['text'])).toEqual([undefined, 'y', '\ud83d', 'y\ud83d', undefined])
  })

  it.each([
    ['', 'There is nothing to answer'],
    ['/silent', 'The model had no answer'],
    ['/fail LLM_RATE_LIMITED', 'It failed with LLM_RATE_LIMITED'],
    ['/fail LLM_RATE_LIMITED 3', 'It failed with LLM_RATE_LIMITED'],
  ])('says why there is none for %j', async (text, reason) => {
    const client = await enter(await serveAll())
    client.send('transcript', { text })
    expect((await client.until('not-handled')).at(-1)?.data).toEqual({ text: reason })
    client.send('ping', { text: 'still there' })
    expect(await client.next()).toMatchObject({ type: 'pong', data: { text: 'still there' } })
  })

  it('gives the model the length of its context', async () => {
    const client = await enter(await serveAll())
    client.send('transcript', { text: '/options' })
    const events = await client.until('handled')
    expect(JSON.parse(String(events.at(-1)?.data['text']))).toMatchObject({ maxTokens: 4096 })
  })
})

describe('a client that is wrong is told so and disconnected, and others are served', () => {
  const long = 'x'.repeat(1024 * 1024)
  it.each<[string, string, (client: WyomingVisitor) => void]>([
    ['a line of 1 MB', 'invalid_event', (client) => client.socket.write(long)],
    ['HTTP', 'invalid_event', (client) => client.socket.write('POST / HTTP/1.1\r\nHost: a\r\n\r\n')],
    [
      'a negative length',
      'invalid_event',
      (client) => client.socket.write('{"type":"a","data_length":-1}\n'),
    ],
    [
      'a chunk before its start',
      'unexpected_event',
      (client) => client.send('audio-chunk', format, samples(1)),
    ],
    ['a stop before its start', 'unexpected_event', (client) => client.send('audio-stop')],
    ['text before its start', 'unexpected_event', (client) => client.send('synthesize-chunk', { text: 'a' })],
    ['a stop of no text', 'unexpected_event', (client) => client.send('synthesize-stop')],
    ['two starts', 'unexpected_event', (client) => ['', ''].map(() => client.send('audio-start', format))],
    ['a wrong rate', 'invalid_value', (client) => client.send('audio-start', { ...format, rate: -1 })],
    ['no rate', 'missing_required_parameter', (client) => client.send('audio-start')],
    ['no text', 'missing_required_parameter', (client) => client.send('synthesize')],
    ['a long text', 'invalid_value', (client) => client.send('synthesize', { text: 'x'.repeat(65_537) })],
    [
      'an unknown voice',
      'voice_not_found',
      (client) => client.send('synthesize', { text: 'a', voice: { name: 'bob' } }),
    ],
    [
      'half a frame',
      'invalid_value',
      (client) => {
        client.send('audio-start', format)
        client.send('audio-chunk', format, samples(2).subarray(1))
      },
    ],
    [
      'another rate',
      'invalid_value',
      (client) => {
        client.send('audio-start', format)
        client.send('audio-chunk', format, samples(2))
        client.send('audio-chunk', { ...format, rate: 8000 }, samples(2))
      },
    ],
    [
      'a flood',
      'too_many_events',
      (client) => {
        for (let index = 0; index < 1000; index++) client.send('describe')
      },
    ],
  ])('%s', async (_what, code, act) => {
    const gateway = await serveAll()
    const client = await enter(gateway)
    act(client)
    const events = await client.until('error')
    expect(events.at(-1)).toMatchObject({ type: 'error', data: { code } })
    expect(await client.next()).toBeUndefined()
    const other = await enter(gateway)
    other.send('ping')
    expect(await other.next()).toMatchObject({ type: 'pong', data: { text: null } })
  })

  it('one whose plugin fails too', async () => {
    const errors: unknown[] = []
    const client = await enter(await serveAll({ onError: (error) => errors.push(error) }), 1)
    client.send('synthesize', { text: '/fail 2 TTS_SYNTHESIS_FAILED' })
    const events = await client.until('error')
    expect(events.at(-1)?.data).toEqual({
      text: 'It failed with TTS_SYNTHESIS_FAILED',
      code: 'tts_synthesis_failed',
    })
    expect(errors).toHaveLength(1)
    expect(await client.next()).toBeUndefined()
  })

  it('one that says nothing for long, but not one that waits', async () => {
    const gateway = await serveAll({ limits: { idleConnectionMs: 300 } })
    const [idle, waiting] = [await enter(gateway), await enter(gateway)]
    waiting.send('transcript', { text: '/hang' })
    idle.socket.write('{"type":')
    expect((await idle.until('error')).at(-1)?.data).toMatchObject({ code: 'timeout' })
    await idle.closed
    expect(waiting.socket.destroyed).toBe(false)
  })
})

describe('a client that goes', () => {
  it('ends its calls in the plugins, and is answered what it asked for before', async () => {
    const gateway = await serveAll()
    const aborts = async (): Promise<string> => {
      const client = await enter(gateway)
      client.send('transcript', { text: '/aborts' })
      return String((await client.until('handled')).at(-1)?.data['text'])
    }
    const before = Number(await aborts())
    const [client, silent] = [await enter(gateway), await enter(gateway)]
    client.send('transcript', { text: '/paced 1000 20' })
    await client.until('handled-chunk')
    silent.send('transcript', { text: '/hang' })
    await expect.poll(async () => (await host.health('tool_llm')).details).toMatchObject({ waiting: 2 })
    client.socket.destroy()
    silent.socket.destroy()
    await expect.poll(aborts).toBe(String(before + 2))
    const other = await enter(gateway)
    other.send('describe')
    other.socket.end()
    expect(typesOf(await other.until('info'))).toEqual(['info'])
  })
})

describe('a conversation', () => {
  async function answers(gateway: Gateway, text: string, context?: object): Promise<string> {
    const client = await enter(gateway)
    client.send('transcript', { text, ...(context ? { context } : {}) })
    const [answer] = (await client.until('handled')).slice(-1)
    client.socket.destroy()
    return String(answer?.data['text'])
  }

  it('goes on over connections, for whoever names it', async () => {
    const gateway = await serveAll()
    const one = { conversation_id: 'one' }
    for (let index = 0; index < 11; index++) await answers(gateway, `question ${index}`, one)
    const messages: { role: string; content: string }[] = JSON.parse(await answers(gateway, '/messages', one))
    expect(messages.map(({ role, content }) => `${role}: ${content}`)).toEqual([
      ...Array.from({ length: 10 }, (_, index) => [
        `user: question ${index + 1}`,
        `assistant: question ${index + 1}`,
      ]).flat(),
      'user: /messages',
    ])
    for (const context of [undefined, {}, { conversation_id: 'two' }, { conversation_id: 5 }])
      expect(JSON.parse(await answers(gateway, '/messages', context))).toHaveLength(1)
  })

  it('that is long is remembered in part', async () => {
    const gateway = await serveAll()
    const long = { conversation_id: 'long' }
    for (const letter of ['a', 'b', 'c']) await answers(gateway, letter.repeat(8000), long)
    const messages: { role: string; content: string }[] = JSON.parse(
      await answers(gateway, '/messages', long),
    )
    expect(messages.map(({ role, content }) => role + content[0])).toEqual([
      'userb',
      'assistantb',
      'userc',
      'assistantc',
      'user/',
    ])
  })
})

it('a client that reads nothing is disconnected, and the plugin says no more', async () => {
  const client = await enter(await serveAll({ limits: { unreadStreamMs: 100 } }), 1)
  client.send('synthesize', { text: '/endless' })
  await client.until('audio-start')
  client.socket.pause()
  await expect.poll(async () => (await host.health('tone_tts')).details).toMatchObject({ open_streams: 0 })
})

describe('close()', () => {
  it('lets answers end, and ends clients that ask for nothing', async () => {
    const gateway = await serveAll({ limits: { drainTimeoutMs: 20_000 } })
    const [busy, idle] = [await enter(gateway), await enter(gateway)]
    busy.send('transcript', { text: '/paced 10 20' })
    await busy.until('handled-chunk')
    const closed = gateway.close()
    expect(await idle.next()).toBeUndefined()
    expect(typesOf(await busy.until('handled-stop')).at(-1)).toBe('handled-stop')
    expect(await busy.next()).toBeUndefined()
    await closed
    await expect(enter(gateway)).rejects.toThrow()
  })

  it('ends what takes longer, with an error', async () => {
    const gateway = await serveAll({ limits: { drainTimeoutMs: 1 } })
    const client = await enter(gateway)
    client.send('transcript', { text: '/paced 1000 20' })
    await client.until('handled-chunk')
    const [events] = await Promise.all([client.until('error'), gateway.close()])
    expect(events.at(-1)?.data).toMatchObject({ code: 'gateway_closing' })
  })
})

it('goes on with what a plugin was replaced with', async () => {
  const other = await startHost(['tone_tts'])
  onTestFinished(() => other.close({ force: true }))
  const client = await enter(await serve(other, { wyoming: [{ port: 0, plugin: 'tone_tts' }] }))
  await other.swap('tone_tts', 'wave_tts')
  client.send('describe')
  const [info] = await client.until('info')
  expect(info?.data).toMatchObject({
    tts: [{ name: 'wave_tts', voices: [{ name: 'low' }, { name: 'high' }] }],
  })
  client.send('synthesize', { text: 'a', voice: { name: 'high' } })
  expect(typesOf(await client.until('audio-stop'))).toContain('audio-chunk')
})

it('is served only where others can’t reach it, unless that is allowed', async () => {
  const options = { wyoming: [{ port: 0 }], wyomingAddress: '0.0.0.0' }
  await expect(serve(host, { ...options, keys: ['key'] })).rejects.toThrow(/no keys.*--allow-open/)
  const gateway = await serve(host, { ...options, keys: ['key'], allowOpen: true })
  expect(await send(gateway.port, { path: '/v1/models' })).toMatchObject({ status: 401 })
  const client = await enter(gateway)
  client.send('ping')
  expect(await client.next()).toMatchObject({ type: 'pong' })
})

it('takes no port that is in use, and leaves nothing behind then', async () => {
  const gateway = await serveAll()
  const listeners = host.listenerCount('status')
  const [{ port = 0 } = {}] = gateway.wyoming
  const options = { wyoming: [{ port: 0 }, { port }] }
  await expect(serve(host, options)).rejects.toMatchObject({ code: 'EADDRINUSE', port })
  expect(host.listenerCount('status')).toBe(listeners)
})

it.each([
  [{ wyoming: [10_300] }, 'wyoming takes an array'],
  [{ wyoming: [{ port: 70_000 }] }, 'wyoming takes an array'],
  [{ wyoming: [{ port: 1, plugin: '' }] }, 'wyoming takes an array'],
  [{ wyomingAddress: 7 }, 'wyomingAddress takes'],
])('refuses %j', async (options, message) => {
  const { serveGateway } = await import('../src/index.js')
  await expect(Reflect.apply(serveGateway, undefined, [host, options])).rejects.toThrow(message)
})
