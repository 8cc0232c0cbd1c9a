import { type ChatMessage, PluginError } from '@appfactory/sdk'
import { describe, expect, it } from 'vitest'
import type { z } from 'zod'
import { failureOf, RequestError } from '../src/errors.js'
import { chatTable, completionTable } from '../src/openai/generation.table.js'
import { checkJsonSchema } from '../src/openai/json-schema.js'
import { messagesOf } from '../src/openai/messages.js'
import { turnsOf } from '../src/openai/response-input.js'
import { responseTable } from '../src/openai/responses.table.js'
import { chatTools, responseTools } from '../src/openai/tools.js'
import { bodyReader } from '../src/schema.js'

/** What a member takes, and what it does not. */
interface Row {
  good: readonly unknown[]
  bad: readonly unknown[]
}

const huge = 'x'.repeat(100_000)
const text: Row = { good: ['', 'x', huge, '\u0000', '😀'], bad: [7, true, [], ['x'], {}] }
const name: Row = { good: ['x', huge], bad: ['', 7, false, [], {}] }
const flag: Row = { good: [true, false], bad: ['true', 'yes', '', 0, 1, [], {}] }
const map: Row = { good: [{}, { a_b: 1, c: [null] }], bad: ['x', 7, true, [], [[]]] }
const whole = (least: number, most: number): Row => ({
  good: [least, Math.min(least + 1, most), most],
  bad: [least - 1, most + 1, least + 0.5, 2 ** 60, 1e308, '1', true, [], {}],
})
const number = (least: number, most: number): Row => ({
  good: [least, (least + most) / 2, most],
  bad: [least - 0.1, most + 0.1, 1e308, '1', '', true, [], {}],
})
const choice = (...good: readonly unknown[]): Row => ({ good, bad: ['x', '', 7, true, [], {}] })
const safe = Number.MAX_SAFE_INTEGER

const hints: Record<string, Row> = {
  frequencyPenalty: number(-2, 2),
  presencePenalty: number(-2, 2),
  logitBias: map,
  user: text,
  metadata: map,
  store: flag,
  serviceTier: text,
  reasoningEffort: text,
  verbosity: text,
  prediction: map,
  promptCacheKey: text,
  promptCacheRetention: text,
  safetyIdentifier: text,
}

const generation: Record<string, Row> = {
  ...hints,
  model: name,
  stream: flag,
  streamOptions: {
    good: [{}, { include_usage: true, include_obfuscation: 7 }],
    bad: [true, 'x', [], { include_usage: 1 }],
  },
  maxTokens: whole(1, safe),
  temperature: number(0, 2),
  topP: number(0, 1),
  stop: {
    good: ['', 'x', huge, [], ['1', '2', '3', '4']],
    bad: [7, true, {}, [7], [null], ['1', '2', '3', '4', '5']],
  },
  seed: { good: [0, -1, safe, -safe], bad: [1.5, 2 ** 60, 1e308, '1', true, [], {}] },
  n: whole(1, 8),
}

const user = { role: 'user', content: 'x' }
const tool = { type: 'function', function: { name: 'f' } }
const named = { name: 'f' }
const many = <Item>(item: Item, count: number): Item[] => Array.from({ length: count }, () => item)

const chat: Record<string, Row> = {
  ...generation,
  messages: {
    good: [
      [user],
      many(user, 5000),
      [{ ...user, content: [] }],
      [{ role: 'assistant' }],
      [{ ...user, extra: [7] }],
    ],
    bad: [
      [],
      'x',
      7,
      {},
      [7],
      [[]],
      [{}],
      [{ ...user, role: 'robot' }],
      [{ ...user, content: 7 }],
      [{ ...user, content: {} }],
      [{ ...user, name: 7 }],
      [{ ...user, content: ['x'] }],
      [{ ...user, content: [{}] }],
      [{ ...user, tool_calls: {} }],
      [{ ...user, tool_calls: [{}] }],
      [{ ...user, audio: 'x' }],
    ],
  },
  maxCompletionTokens: whole(1, safe),
  tools: {
    good: [
      [],
      [tool],
      many(tool, 128),
      [{ type: 'function', function: { ...named, description: '', parameters: {}, strict: 1 } }],
    ],
    bad: [
      many(tool, 129),
      {},
      'x',
      [7],
      [{}],
      [{ ...tool, type: 7 }],
      [{ ...tool, function: 'f' }],
      [{ ...tool, function: { name: 7 } }],
      [{ ...tool, function: { name: '' } }],
      [{ ...tool, function: { ...named, parameters: [] } }],
      [{ ...tool, function: { name: 'x'.repeat(129) } }],
    ],
  },
  toolChoice: {
    good: [
      'auto',
      'none',
      'required',
      tool,
      { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [tool] } },
    ],
    bad: [
      'any',
      '',
      7,
      [],
      {},
      { type: 'function' },
      { type: 'custom', custom: named },
      { type: 'allowed_tools' },
      { type: 'allowed_tools', allowed_tools: { mode: 'none', tools: [] } },
    ],
  },
  parallelToolCalls: flag,
  functions: { good: [[], [named]], bad: [{}, 'x', [7], [{}], many(named, 129)] },
  functionCall: { good: ['auto', 'none', named], bad: ['required', 7, [], {}] },
  responseFormat: {
    good: [
      { type: 'text' },
      { type: 'json_object' },
      { type: 'json_schema', json_schema: { name: 'r', schema: {} } },
    ],
    bad: [
      'json',
      7,
      [],
      {},
      { type: 'sound' },
      { type: 'json_schema', json_schema: {} },
      { type: 'json_schema', json_schema: { schema: 'x' } },
    ],
  },
  logprobs: flag,
  topLogprobs: whole(0, 20),
  modalities: { good: [[], ['text'], ['text', 'audio'], ['smell']], bad: ['text', 7, {}, [7]] },
  audio: {
    good: [{ format: 'mp3', voice: 'x' }, { format: 'pcm16', voice: { id: 'x' } }, { format: 'wav' }],
    bad: ['x', 7, [], {}, { format: 'ogg' }, { format: 'wav', voice: '' }, { format: 'wav', voice: {} }],
  },
}

const completion: Record<string, Row> = {
  ...generation,
  prompt: { good: ['', 'x', huge, ['x']], bad: [7, true, {}, [], ['a', 'b'], [1, 2], [[1, 2]]] },
  echo: flag,
  suffix: text,
  bestOf: whole(1, 20),
  logprobs: whole(0, 5),
}

const call = { type: 'function', name: 'f' }
const response: Record<string, Row> = {
  ...hints,
  metadata: { good: [{}, { a: 'b' }], bad: ['x', 7, [], { a: 1 }] },
  model: name,
  input: {
    good: [
      '',
      'x',
      huge,
      [],
      [user],
      many(user, 5000),
      [{ type: 'function_call', arguments: { a_b: 1 }, status: 7 }],
    ],
    bad: [
      7,
      true,
      {},
      [7],
      [{ role: 'tool' }],
      [{ content: 7 }],
      [{ type: 7 }],
      [{ ...user, content: [{}] }],
      [{ output: {} }],
    ],
  },
  instructions: text,
  stream: flag,
  maxOutputTokens: whole(1, safe),
  maxToolCalls: whole(1, safe),
  temperature: number(0, 2),
  topP: number(0, 1),
  tools: {
    good: [[], [call], many(call, 128), [{ type: 'web_search' }]],
    bad: [many(call, 129), {}, [7], [{}], [{ ...call, parameters: 'x' }], [{ ...call, strict: 'x' }]],
  },
  toolChoice: {
    good: ['auto', 'none', 'required', call, { type: 'allowed_tools', mode: 'required', tools: [call] }],
    bad: ['any', 7, [], {}, { type: 'function' }, { type: 'allowed_tools', mode: 'auto' }],
  },
  parallelToolCalls: flag,
  text: {
    good: [
      {},
      { verbosity: 'low', format: { type: 'text' } },
      { format: { type: 'json_schema', name: 'r', schema: {}, strict: true } },
    ],
    bad: [
      'x',
      7,
      [],
      { format: {} },
      { format: { type: 'sound' } },
      { verbosity: 'loud' },
      { format: { type: 'json_schema', schema: [] } },
    ],
  },
  reasoning: {
    good: [{}, { effort: 'high', summary: 'auto' }],
    bad: ['x', 7, [], { effort: 'extreme' }, { summary: true }],
  },
  store: flag,
  previousResponseId: text,
  truncation: choice('auto', 'disabled'),
  include: { good: [[], ['reasoning.encrypted_content']], bad: ['x', {}, [7]] },
  topLogprobs: whole(0, 20),
  background: flag,
  conversation: { good: ['x', { id: 'x' }], bad: [7, true, []] },
  prompt: map,
}

const needed: Record<string, object> = {
  chat: { model: 'm', messages: [user] },
  completion: { model: 'm', prompt: 'x' },
  response: { model: 'm', input: 'x' },
}

const onWire = (member: string): string => member.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

describe.each<[string, z.ZodObject, Record<string, Row>]>([
  ['chat', chatTable, chat],
  ['completion', completionTable, completion],
  ['response', responseTable, response],
])('the body of a %s', (kind, table, rows) => {
  const read = bodyReader(table)
  const base = needed[kind] ?? {}
  const refusalOf = (body: object): unknown => {
    try {
      return read(body) && undefined
    } catch (error) {
      return error
    }
  }

  it('has a row here for each member', () => {
    expect(Object.keys(rows).sort()).toEqual(Object.keys(table.shape).sort())
  })

  it.each(Object.entries(rows))('%s', (member, { good, bad }) => {
    const wire = onWire(member)
    for (const value of good) {
      const got: unknown = Reflect.get(read({ ...base, [wire]: value }) as object, member)
      expect(got, JSON.stringify(value)?.slice(0, 200)).toBeDefined()
    }
    for (const value of bad) {
      const error = refusalOf({ ...base, [wire]: value })
      expect(error, `${wire}: ${JSON.stringify(value)?.slice(0, 200)}`).toBeInstanceOf(RequestError)
      expect(error).toMatchObject({
        status: 400,
        param: expect.stringMatching(new RegExp(`^${wire}(\\.|\\[|$)`)),
      })
      // Nobody reads a whole body again in an error.
      expect((error as RequestError).message.length).toBeLessThan(2000)
    }
    const absent = { ...base, [wire]: undefined }
    if (wire in base && member !== 'input')
      expect(refusalOf({ ...base, [wire]: null })).toMatchObject({ status: 400, param: wire })
    else expect(read({ ...base, [wire]: null })).toEqual(read(JSON.parse(JSON.stringify(absent))))
  })

  it('may have members that nobody knows', () => {
    expect(read({ ...base, some_day: { a_b: [1] }, toString: 1 })).toMatchObject({ some_day: { a_b: [1] } })
  })
})

/** As a client’s history may have them. */
const argumentsGiven: [given: unknown, taken: object][] = [
  ['{"a_b":1}', { a_b: 1 }],
  ['', {}],
  [' \n', {}],
  ['{', { _raw: '{' }],
  ['[1]', { _raw: '[1]' }],
  ['null', { _raw: 'null' }],
  [{ a_b: 1 }, { a_b: 1 }],
  [undefined, {}],
  [null, {}],
  [7, { _raw: '7' }],
  [['x'], { _raw: '["x"]' }],
]

describe('calls in the history', () => {
  it.each(argumentsGiven)('with the arguments %j', (given, taken) => {
    const called = { name: 'f', ...(given === undefined ? {} : { arguments: given }) }
    const said = (message: object): ChatMessage[] =>
      messagesOf(bodyReader(chatTable)({ model: 'm', messages: [message] }).messages, () => undefined)
    const calls = [{ id: '1', name: 'f', arguments: taken }]
    expect(said({ role: 'assistant', tool_calls: [{ id: '1', function: called }] })[0]?.toolCalls).toEqual(
      calls,
    )
    expect(said({ role: 'assistant', function_call: called })[0]?.toolCalls).toMatchObject([
      { arguments: taken },
    ])
    const input = [{ type: 'function_call', call_id: '1', ...called }]
    const turns = turnsOf(bodyReader(responseTable)({ model: 'm', input }), () => undefined)
    expect(turns[0]?.toolCalls).toEqual(calls)
  })
})

describe('what a plugin refuses', () => {
  it.each([
    ['/chat/completions', 'response_format.schema.a', 'response_format.json_schema.schema.a'],
    ['/chat/completions', 'response_format', 'response_format'],
    ['/chat/completions', 'tools[2].parameters', 'tools[2].function.parameters'],
    ['/chat/completions', 'tools', 'tools'],
    ['/chat/completions', 'stop_sequences[0]', 'stop[0]'],
    ['/responses', 'response_format.schema.a', 'text.format.schema.a'],
    ['/responses', 'tools[2].parameters', 'tools[2].parameters'],
    ['/responses', 'max_tokens', 'max_output_tokens'],
    ['/audio/speech', 'text', 'input'],
  ])('of %s at %s is the client’s %s', (route, path, param) => {
    const error = new PluginError('INVALID_PARAMS', 'x', { issues: [{ path, message: 'is wrong' }] })
    expect(failureOf(error, route)).toMatchObject({ status: 400, param, message: `${param}: is wrong` })
  })
})

describe('tools that may be chosen', () => {
  const tools = [tool, { type: 'function', function: { name: 'g' } }]
  const chosen = (choice: unknown): object =>
    chatTools(bodyReader(chatTable)({ model: 'm', messages: [user], tools, tool_choice: choice }))
  const allowed = (mode: string, all: object[]): object => ({
    type: 'allowed_tools',
    allowed_tools: { mode, tools: all },
  })

  it('are some of them', () => {
    expect(chosen(allowed('required', [tool]))).toEqual({ tools: [{ name: 'f' }], toolChoice: 'required' })
    expect(chosen(tool)).toMatchObject({ toolChoice: { name: 'f' } })
    expect(chosen('auto')).toMatchObject({ tools: [{ name: 'f' }, { name: 'g' }], toolChoice: 'auto' })
  })

  it('are not none', () => {
    expect(() => chosen(allowed('auto', []))).toThrow('tool_choice: must allow')
    const choice = { type: 'allowed_tools', mode: 'auto', tools: [] }
    const body = { model: 'm', input: 'x', tools: [call], tool_choice: choice }
    expect(() => responseTools(bodyReader(responseTable)(body))).toThrow('tool_choice: must allow')
  })
})

it.each<[object, string]>([
  [{ type: 'hiccup' }, 'type'],
  [{ type: ['string', 'hiccup'] }, 'type'],
  [{ anyOf: [{ type: 'null' }, { type: 'hiccup' }] }, 'anyOf[1].type'],
  [{ properties: { a: { items: { type: 'hiccup' } } } }, 'properties.a.items.type'],
  [{ items: [{ type: 'hiccup' }] }, 'items[0].type'],
  [
    { definitions: { a: { additionalProperties: { type: 'hiccup' } } } },
    'definitions.a.additionalProperties.type',
  ],
])('a schema with a type that there is not is refused: %j', (schema, place) => {
  expect(() => checkJsonSchema(schema, 's')).toThrow(`s.${place}: must be one of`)
  expect(() =>
    checkJsonSchema({ properties: { type: { type: 'string' }, anyOf: { type: 'null' } } }, 's'),
  ).not.toThrow()
})
