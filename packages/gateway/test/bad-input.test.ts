import type { PluginHost } from '@appfactory/host'
import { encodeWav } from '@appfactory/sdk'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, serveGateway } from '../src/index.js'
import { randomOf } from './random.js'
import { chat, json, post, send, startHost, textIn } from './visitor.js'

let host: PluginHost
let gateway: Gateway
beforeAll(async () => {
  host = await startHost(['tool_llm', 'echo_stt'])
  gateway = await serveGateway(host, { port: 0 })
})
afterAll(async () => {
  await gateway.close()
  await host.close({ force: true })
})

const user = { role: 'user', content: 'x' }
const tool = { type: 'function', function: { name: 'f' } }
const schema = (value: unknown): object => ({
  type: 'json_schema',
  json_schema: { name: 'r', schema: value },
})
const withPart = (part: object): object => ({ messages: [{ role: 'user', content: [part] }] })

describe('POST /v1/chat/completions', () => {
  it.each([
    [{ model: undefined }, 'model'],
    [{ model: null }, 'model'],
    [{ model: 7 }, 'model'],
    [{ model: '' }, 'model'],
    [{ messages: undefined }, 'messages'],
    [{ messages: null }, 'messages'],
    [{ messages: [] }, 'messages'],
    [{ messages: 'x' }, 'messages'],
    [{ messages: [123] }, 'messages[0]'],
    [{ messages: [{}] }, 'messages[0].role'],
    [{ messages: [user, { role: 123, content: 'x' }] }, 'messages[1].role'],
    [{ messages: [{ role: 'robot', content: 'x' }] }, 'messages[0].role'],
    [{ messages: [{ role: 'user', content: 123 }] }, 'messages[0].content'],
    [{ messages: [{ role: 'user', content: null }] }, 'messages[0].content'],
    [{ messages: [{ role: 'user', content: [7] }] }, 'messages[0].content[0]'],
    [{ messages: [{ role: 'tool', content: 'x' }] }, 'messages[0].tool_call_id'],
    [{ messages: [{ role: 'assistant', tool_calls: [{ id: 'x' }] }] }, 'messages[0].tool_calls[0].function'],
    [withPart({ type: 'text' }), 'messages[0].content[0].text'],
    [withPart({ type: 'smell' }), 'messages[0].content[0].type'],
    [withPart({ type: 'image_url' }), 'messages[0].content[0].image_url'],
    [
      withPart({ type: 'input_audio', input_audio: { data: '*', format: 'wav' } }),
      'messages[0].content[0].input_audio.data',
    ],
    [{ tools: [tool, tool] }, 'tools'],
    [{ tools: [{ type: 'function' }] }, 'tools[0].function'],
    [{ tools: [{ type: 'function', function: { name: '' } }] }, 'tools[0].function.name'],
    [
      { tools: [{ type: 'function', function: { name: 'f', parameters: 'x' } }] },
      'tools[0].function.parameters',
    ],
    [
      {
        tools: [
          {
            type: 'function',
            function: { name: 'f', parameters: { properties: { a: { type: 'hiccup' } } } },
          },
        ],
      },
      'tools[0].function.parameters.properties.a.type',
    ],
    [
      { tools: Array.from({ length: 300 }, (_, index) => ({ ...tool, function: { name: `f${index}` } })) },
      'tools',
    ],
    [{ tool_choice: 'required' }, 'tool_choice'],
    [{ tools: [tool], tool_choice: { type: 'function', function: { name: 'g' } } }, 'tool_choice'],
    [{ tools: [tool], tool_choice: 'maybe' }, 'tool_choice'],
    [{ response_format: { type: 'sound' } }, 'response_format.type'],
    [{ response_format: { type: 'json_schema' } }, 'response_format.json_schema'],
    [
      { response_format: { type: 'json_schema', json_schema: { name: 'r' } } },
      'response_format.json_schema.schema',
    ],
    [{ response_format: schema({ type: 'hiccup' }) }, 'response_format.json_schema.schema.type'],
    [{ response_format: schema({ items: { type: 1 } }) }, 'response_format.json_schema.schema.items.type'],
    [{ temperature: 3 }, 'temperature'],
    [{ temperature: '1' }, 'temperature'],
    [{ top_p: -1 }, 'top_p'],
    [{ n: 0 }, 'n'],
    [{ n: 9 }, 'n'],
    [{ max_tokens: 0 }, 'max_tokens'],
    [{ max_completion_tokens: -1 }, 'max_completion_tokens'],
    [{ stop: ['1', '2', '3', '4', '5'] }, 'stop'],
    [{ stop: [7] }, 'stop[0]'],
    [{ seed: 1.5 }, 'seed'],
    [{ seed: 2 ** 60 }, 'seed'],
    [{ stream: 'yes' }, 'stream'],
    [{ stream_options: true }, 'stream_options'],
  ])('%j: 400 at %s', async (more, param) => {
    const answer = await chat(gateway.port, 'x', more)
    expect(answer.status).toBe(400)
    expect(json(answer)).toEqual({
      error: {
        message: expect.stringMatching(/^[\w.[\]]+: /),
        type: 'invalid_request_error',
        param,
        code: expect.stringMatching(/^(invalid_value|missing_required_parameter)$/),
      },
    })
  })

  it('words what is wrong as plugins do', async () => {
    const answer = await chat(gateway.port, 'x', { temperature: 'hot', max_tokens: 0 })
    expect(json(answer)).toMatchObject({
      error: {
        message: 'temperature: must be a number, not the string "hot"; max_tokens: must be at least 1, not 0',
      },
    })
  })

  it.each([
    [{ logprobs: true }, 'logprobs'],
    [{ top_logprobs: 2 }, 'top_logprobs'],
    [{ modalities: ['text', 'audio'] }, 'modalities'],
    [{ audio: { voice: 'alloy', format: 'mp3' } }, 'audio'],
    [{ n: 2, stream: true }, 'n'],
    [{ tools: [{ type: 'custom', custom: { name: 'x' } }] }, 'tools[0].type'],
    [withPart({ type: 'file', file: { file_id: 'x' } }), 'messages[0].content[0]'],
    [
      withPart({ type: 'image_url', image_url: { url: 'http://127.0.0.1/x.png' } }),
      'messages[0].content[0].image_url.url',
    ],
    [
      withPart({ type: 'image_url', image_url: { url: 'file:///etc/passwd' } }),
      'messages[0].content[0].image_url.url',
    ],
  ])('%j can’t be done: 400 at %s', async (more, param) => {
    const answer = await chat(gateway.port, 'x', more)
    expect(answer.status).toBe(400)
    expect(json(answer)).toMatchObject({ error: { param, code: 'unsupported_parameter' } })
  })

  it('takes an answer to a call that is not there', async () => {
    const messages = [user, { role: 'tool', tool_call_id: 'nobody', content: 'x' }]
    expect(await chat(gateway.port, 'x', { messages })).toMatchObject({ status: 200 })
  })

  it('takes members that it does not know', async () => {
    expect(textIn(await chat(gateway.port, 'x', { some_day: 1, logprobs: false, n: 1 }))).toBe('x')
  })
})

/** One of some things. */
function pickWith(random: () => number): <Item>(items: readonly Item[]) => Item | undefined {
  return (items) => items[Math.floor(random() * items.length)]
}

const strange: unknown[] = [
  ...[null, true, 0, -1, 1.5, 1e308, '', 'x', '\u0000', '\ud800', '/pieces 2', [], [[]], {}],
  ...[{ type: 'text' }, { constructor: { prototype: 1 } }, [null], ['x', 1], { role: 'user' }],
]

const members = [
  ...[
    'model',
    'messages',
    'stream',
    'stream_options',
    'max_tokens',
    'temperature',
    'top_p',
    'stop',
    'seed',
    'n',
  ],
  ...[
    'tools',
    'tool_choice',
    'response_format',
    'functions',
    'function_call',
    'modalities',
    'audio',
    'logit_bias',
  ],
  ...['metadata', 'user', 'parallel_tool_calls', 'prompt', 'constructor', 'toString'],
  ...['input', 'instructions', 'text', 'reasoning', 'include', 'truncation', 'previous_response_id', 'store'],
  ...['max_output_tokens', 'background', 'conversation', 'max_completion_tokens', 'logprobs', 'top_logprobs'],
]
/** Of messages, items, parts, tools, calls and formats. */
const inner = [
  ...['type', 'role', 'content', 'name', 'function', 'url', 'id', 'text', 'image_url', 'input_audio', 'data'],
  ...['tool_calls', 'function_call', 'tool_call_id', 'call_id', 'arguments', 'output', 'summary', 'audio'],
  ...[
    'json_schema',
    'schema',
    'format',
    'parameters',
    'properties',
    'anyOf',
    'allowed_tools',
    'mode',
    'tools',
  ],
]
const known = [
  ...[
    'function',
    'function_call',
    'function_call_output',
    'message',
    'reasoning',
    'item_reference',
    'input_text',
  ],
  ...[
    'json_schema',
    'json_object',
    'allowed_tools',
    'image_url',
    'input_audio',
    'user',
    'assistant',
    'tool',
    'auto',
  ],
]
const routes = ['/v1/chat/completions', '/v1/completions', '/v1/responses']

describe('random bodies', () => {
  it.each([1, 2, 3])('of seed %i: an answer of the right form, and the gateway goes on', async (seed) => {
    const random = randomOf(seed)
    const pick = pickWith(random)
    const value = (depth: number): unknown => {
      if (depth > 3 || random() < 0.6) return pick(strange)
      if (random() < 0.5) return Array.from({ length: Math.floor(random() * 3) }, () => value(depth + 1))
      const count = 1 + Math.floor(random() * 4)
      return Object.fromEntries(
        Array.from({ length: count }, () => [pick(inner), random() < 0.3 ? pick(known) : value(depth + 1)]),
      )
    }
    const bodies = Array.from({ length: 180 }, () => {
      const changes = Array.from({ length: 1 + Math.floor(random() * 3) }, () => [pick(members), value(0)])
      const body = {
        model: 'tool_llm',
        messages: [user],
        prompt: 'x',
        input: 'x',
        ...Object.fromEntries(changes),
      }
      const text = JSON.stringify(body)
      return random() < 0.2 ? text.slice(0, Math.floor(random() * text.length)) : text
    })
    const answers = await Promise.all(
      bodies.map((body, index) => post(gateway.port, routes[index % 3] ?? '', body)),
    )
    for (const [index, { status, body, headers }] of answers.entries()) {
      expect([200, 400, 404], `${bodies[index]}: ${body}`).toContain(status)
      if (status !== 200)
        expect(JSON.parse(body)).toEqual({
          error: {
            message: expect.any(String),
            type: 'invalid_request_error',
            param:
              status === 404
                ? 'model'
                : expect.toSatisfy((param) => param === null || typeof param === 'string'),
            code: expect.any(String),
          },
        })
      else if (headers['content-type'] === 'application/json')
        expect(JSON.parse(body)).toHaveProperty(index % 3 === 2 ? 'output' : 'choices')
      else expect(body).toMatch(/data: \[DONE\]\n\n$/)
    }
    expect(new Set(answers.map(({ status }) => status)).size).toBeGreaterThan(1)
    expect(textIn(await chat(gateway.port, 'still here'))).toBe('still here')
  })
})

const wav = encodeWav(new Int16Array(1600), { sampleRate: 16_000 })
const fieldNames = [
  ...[
    'file',
    'model',
    'language',
    'prompt',
    'temperature',
    'stream',
    'response_format',
    'include[]',
    'file[]',
  ],
  ...[
    'timestamp_granularities[]',
    'timestamp_granularities',
    '__proto__',
    'constructor',
    '',
    'x'.repeat(300),
  ],
]
const fieldValues = [
  ...[
    'echo_stt',
    'tool_llm',
    'nobody',
    'json',
    'verbose_json',
    'srt',
    'word',
    'true',
    'yes',
    '1',
    '-1',
    '1e999',
  ],
  ...['en', '', '\u0000', '--x', '\r\n', '\u00ff\ud800', 'x'.repeat(70_000)],
]
const strangeHeads = [
  ...['', 'Content-Disposition: form-data', 'Content-Disposition: form-data; name=', 'X: y', ': ', '\u0000'],
  ...['Content-Disposition: form-data; name="file"; filename="../../x\r\ny"', `X: ${'y'.repeat(90_000)}`],
]

describe('random forms', () => {
  it.each([1, 2, 3])('of seed %i: an answer of the right form, and the gateway goes on', async (seed) => {
    const random = randomOf(seed)
    const pick = pickWith(random)
    const field = (name = '', value: string | Uint8Array = ''): Buffer[] => {
      const file = typeof value === 'string' ? '' : '; filename="a.wav"'
      const head = `Content-Disposition: form-data; name="${name}"${file}`
      return [`--x\r\n${random() < 0.05 ? pick(strangeHeads) : head}\r\n\r\n`, value, '\r\n'].map(Buffer.from)
    }
    const form = (): Buffer => {
      const right = [...field('model', 'echo_stt'), ...field('file', wav)]
      const more = Array.from({ length: Math.floor(random() * 4) }, () =>
        field(pick(fieldNames), pick(fieldValues)),
      )
      const body = Buffer.concat([...(random() < 0.9 ? right : []), ...more.flat(), Buffer.from('--x--\r\n')])
      if (random() < 0.2) body[Math.floor(random() * body.length)] = Math.floor(random() * 256)
      return random() < 0.1 ? body.subarray(0, Math.floor(random() * body.length)) : body
    }
    const bodies = Array.from({ length: 100 }, form)
    const type = { 'content-type': 'multipart/form-data; boundary=x' }
    const path = '/v1/audio/transcriptions'
    const answers = await Promise.all(
      bodies.map((body) => send(gateway.port, { method: 'POST', path, headers: type, body })),
    )
    for (const [index, { status, body, headers }] of answers.entries()) {
      const what = `form ${index} of seed ${seed}, ${bodies[index]?.toString('latin1').slice(0, 500)}: ${body}`
      expect([200, 400, 404, 413], what).toContain(status)
      if (status === 200) continue
      expect(headers['content-type'], what).toBe('application/json')
      expect(JSON.parse(body).error, what).toMatchObject({
        message: expect.any(String),
        type: 'invalid_request_error',
        code: expect.any(String),
      })
    }
    expect(new Set(answers.map(({ status }) => status)).size).toBeGreaterThan(2)
    expect(textIn(await chat(gateway.port, 'still here'))).toBe('still here')
  })
})
