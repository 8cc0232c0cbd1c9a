import { ErrorCodes } from '@appfactory/sdk'
import { describe, expect, it, vi } from 'vitest'
import { logged, patientMembers, sharedHost, startHost, ttsPlugin } from './client.js'

vi.setConfig({ testTimeout: 60_000 })

const request = { jsonrpc: '2.0', id: 1, method: 'ping' }
const error = (code: keyof typeof ErrorCodes, id: unknown = null) => ({
  jsonrpc: '2.0',
  id,
  error: { code: ErrorCodes[code], message: expect.any(String) },
})

const shared = sharedHost({}, [])

/** All that comes back for these lines, `count` answers or more, which must leave the host alive. */
async function answersTo(lines: string | Uint8Array, count = 1, host = shared()): Promise<unknown[]> {
  const first = host.received.length
  const pings: unknown[] = [`first ${first}`, `second ${first}`]
  const answers = (): unknown[] =>
    host.received.slice(first).filter((message) => Array.isArray(message) || !pings.includes(message.id))
  host.write(lines)
  host.write('\n')
  await expect.poll(() => answers().length).toBeGreaterThanOrEqual(count)
  for (const id of pings) {
    host.send({ jsonrpc: '2.0', id, method: 'ping' })
    expect(await host.reply(id)).toMatchObject({ result: 'pong' })
  }
  return answers()
}

/** All that comes back for these lines up to the end of the host. */
async function allAnswersTo(lines: string): Promise<unknown[]> {
  const host = startHost()
  const answers = await answersTo(lines, 0, host)
  const received = host.received.length
  expect(await host.finish()).toEqual({ code: 0, signal: null })
  return [...answers, ...host.received.slice(received)]
}

describe('a line that is not JSON', () => {
  it.each(['hello', '{', "{'a': 1}", '{"jsonrpc":"2.0","method":"ping","id":1', 'Content-Length: 20'])(
    '%s is PARSE_ERROR; the next line is served',
    async (line) => {
      expect(await answersTo(line)).toMatchObject([error('PARSE_ERROR')])
    },
  )

  it('an empty line is nothing', async () => {
    expect(await answersTo('\n\r\n   \n', 0)).toEqual([])
  })
})

describe('invalid UTF-8', () => {
  it('is PARSE_ERROR, though it would parse with replacement characters', async () => {
    const line = Buffer.from('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"?"}}')
    line[line.indexOf('?')] = 0xff
    expect(await answersTo(line)).toMatchObject([error('PARSE_ERROR')])
  })
})

describe('a message that breaks a rule', () => {
  it.each([
    [{ ...request, method: 1 }, 1],
    [{ ...request, jsonrpc: '1.0' }, 1],
    [{ id: 1, method: 'ping' }, 1],
    [{ ...request, id: {} }, null],
    [{ ...request, id: [] }, null],
    [{ ...request, id: true }, null],
    [{ ...request, params: 'text' }, 1],
    ['text', null],
    [17, null],
    [null, null],
  ])('%j is INVALID_REQUEST', async (message, id) => {
    expect(await answersTo(JSON.stringify(message))).toMatchObject([error('INVALID_REQUEST', id)])
  })
})

describe('batches', () => {
  it('over the limit get one INVALID_REQUEST', async () => {
    const batch = Array.from({ length: 101 }, (_, id) => ({ ...request, id }))
    expect(await answersTo(JSON.stringify(batch))).toMatchObject([error('INVALID_REQUEST')])
  })

  it('at the limit are answered', async () => {
    const batch = Array.from({ length: 100 }, (_, id) => ({ ...request, id }))
    const [answer] = await answersTo(JSON.stringify(batch))
    expect(answer).toMatchObject(batch.map(({ id }) => ({ id, result: 'pong' })))
  })
})

describe('bad parameters', () => {
  const asked = sharedHost({}, [])
  it.each([
    ['nope', {}, 'METHOD_NOT_FOUND', 'nope'],
    ['a/b', {}, 'METHOD_NOT_FOUND', 'a/b'],
    ['a/b/c', {}, 'METHOD_NOT_FOUND', 'a/b/c'],
    ['', {}, 'METHOD_NOT_FOUND', ''],
    ['constructor', {}, 'METHOD_NOT_FOUND', 'constructor'],
    ['plugin/load', {}, 'INVALID_PARAMS', 'name'],
    ['plugin/load', undefined, 'INVALID_PARAMS', 'name'],
    ['plugin/load', { name: 5 }, 'INVALID_PARAMS', 'name'],
    ['plugin/load', ['a'], 'INVALID_PARAMS', 'params'],
    ['plugin/load', { name: 'a', config: [] }, 'INVALID_PARAMS', 'config'],
    ['plugin/call', { plugin: 'a' }, 'INVALID_PARAMS', 'method'],
    ['plugin/call', { plugin: 'a', method: 'x', args: 5 }, 'INVALID_PARAMS', 'args'],
    ['plugin/call', { plugin: 'a', method: 'x', timeout: -1 }, 'INVALID_PARAMS', 'timeout'],
    ['ping', { extra: 1 }, 'INVALID_PARAMS', 'extra'],
    ['events/subscribe', { types: ['status', 'weather'] }, 'INVALID_PARAMS', 'types.1'],
  ] as const)('%s %j is %s, naming %s', async (method, params, code, named) => {
    const { error } = await asked().ask(method, params)
    expect(error).toMatchObject({ code: ErrorCodes[code], message: expect.stringContaining(named) })
  })
})

describe('notifications', () => {
  it('unknown, malformed or failing, get no reply', async () => {
    const notifications = [
      { method: 'nope' },
      { method: 'ping' },
      { method: 'plugin/load', params: { name: 'nope' } },
      { method: 'plugin/load', params: 'text' },
      { method: '$/unknown', params: {} },
      { method: '$/cancelRequest' },
      { method: '$/cancelRequest', params: [1] },
      { method: '$/credit', params: { id: 1, n: 'x' } },
      { method: '$/stream', params: { id: 1, seq: 0, value: 1 } },
    ]
    const lines = notifications.map((each) => JSON.stringify({ jsonrpc: '2.0', ...each })).join('\n')
    expect(await allAnswersTo(lines)).toEqual([])
  })
})

describe('an id already in flight', () => {
  it('is INVALID_REQUEST; the first call is unaffected', async () => {
    const host = startHost(ttsPlugin('a', patientMembers))
    await host.result('events/subscribe', { types: ['log'] })
    await host.result('plugin/load', { name: 'a' })
    const call = (text: string) => ({ plugin: 'a', method: 'synthesize', args: { text } })
    host.send({ jsonrpc: '2.0', id: 'twin', method: 'plugin/call', params: call('first') })
    await logged(host, 'begun first')
    host.send({ jsonrpc: '2.0', id: 'twin', method: 'ping' })
    expect(await host.reply('twin')).toMatchObject(error('INVALID_REQUEST', 'twin'))
    await host.result('plugin/call', call('release'))
    expect(await host.reply('twin')).toMatchObject({ result: { format: 'wav' } })
    host.send({ jsonrpc: '2.0', id: 'twin', method: 'ping' })
    expect(await host.reply('twin')).toMatchObject({ result: 'pong' })
  })
})

describe('replies that nobody waits for', () => {
  it('from a client are dropped', async () => {
    const replies = [
      { id: 1, result: 1 },
      { id: null, error: { code: 1, message: 'x' } },
      { id: {}, result: 1 },
      { result: 1 },
    ]
    const lines = replies.map((reply) => JSON.stringify({ jsonrpc: '2.0', ...reply })).join('\n')
    expect(await allAnswersTo(lines)).toEqual([])
  })
})

describe('a line over the limit', () => {
  it('is MESSAGE_TOO_LARGE at once; the host serves from the next LF on', async () => {
    const host = startHost()
    const part = Buffer.alloc(1024 * 1024, 'x')
    for (let mebibytes = 0; mebibytes < 9; mebibytes++) host.write(part)
    expect(await host.reply(null)).toMatchObject(error('MESSAGE_TOO_LARGE'))
    expect(await answersTo(part, 0, host)).toEqual([])
  })
})

describe('JSON that does harm', () => {
  it.each([
    ['5,000 arrays', '['.repeat(5000) + ']'.repeat(5000)],
    ['5,000 objects', `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`],
    ['__proto__', '{"__proto__":{"polluted":true}}'],
    ['escaped __proto__', '{"__proto\\u005f_":{"polluted":true}}'],
    ['1e400', '1e400'],
    ['an integer over 2^53', '9007199254740993'],
  ])('%s is answered with a code', async (_, value) => {
    const params = `{"plugin":"a","method":"x","args":{"value":${value}}}`
    expect(
      await answersTo(`{"jsonrpc":"2.0","id":1,"method":"plugin/call","params":${params}}`),
    ).toMatchObject([error('INVALID_REQUEST', 1)])
    expect(await answersTo(value)).toMatchObject([error('INVALID_REQUEST')])
  })
})

describe('a multibyte character split over reads', () => {
  it('arrives intact, byte by byte', async () => {
    const host = startHost(ttsPlugin('a', "getVoiceInfo(id) { return { id, name: id, language: 'x' } }"))
    await host.result('plugin/load', { name: 'a' })
    const id = 'ä—今🎉'
    const params = { plugin: 'a', method: 'get_voice_info', args: { voice_id: id } }
    const line = Buffer.from(
      `${JSON.stringify({ jsonrpc: '2.0', id: 'split', method: 'plugin/call', params })}\n`,
    )
    for (const byte of line) {
      await new Promise<void>((resolve) => host.child.stdin.write(Uint8Array.of(byte), () => resolve()))
    }
    expect(await host.reply('split')).toMatchObject({ result: { id, name: id } })
  })
})

describe('the examples of the JSON-RPC 2.0 specification, section 7', () => {
  // `subtract` and its like do not exist here, so that where the specification shows a result, there is an error.
  const notFound = (id: unknown) => error('METHOD_NOT_FOUND', id)
  const invalid = error('INVALID_REQUEST')

  it.each([
    [
      'positional parameters',
      '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
      [notFound(1)],
    ],
    [
      'named parameters',
      '{"jsonrpc": "2.0", "method": "subtract", "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
      [notFound(3)],
    ],
    ['a notification', '{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', []],
    ['a notification without parameters', '{"jsonrpc": "2.0", "method": "foobar"}', []],
    [
      'a call of a method that does not exist',
      '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}',
      [notFound('1')],
    ],
    [
      'a call with invalid JSON',
      '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
      [error('PARSE_ERROR')],
    ],
    ['a call with an invalid request object', '{"jsonrpc": "2.0", "method": 1, "params": "bar"}', [invalid]],
    [
      'a batch with invalid JSON',
      '[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"}, {"jsonrpc": "2.0", "method"]',
      [error('PARSE_ERROR')],
    ],
    ['an empty array', '[]', [invalid]],
    ['an invalid batch that is not empty', '[1]', [[invalid]]],
    ['an invalid batch', '[1,2,3]', [[invalid, invalid, invalid]]],
    [
      'a batch',
      `[{"jsonrpc": "2.0", "method": "ping", "id": "1"},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
        {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
        {"jsonrpc": "2.0", "method": "get_data", "id": "9"}]`.replaceAll('\n', ''),
      [[{ jsonrpc: '2.0', id: '1', result: 'pong' }, notFound('2'), invalid, notFound('5'), notFound('9')]],
    ],
    [
      'a batch of notifications',
      '[{"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},{"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}]',
      [],
    ],
  ])('%s', async (_, line, answers) => {
    expect(await answersTo(line, answers.length)).toEqual(answers)
  })
})
