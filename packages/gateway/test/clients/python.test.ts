import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { pythonWith } from '../../../sdk/test/python/environment.js'
import { serveAll } from '../visitor.js'
import { clientPackages } from './packages.js'

const run = promisify(execFile)
const python = pythonWith(...clientPackages)
const pluginsDir = ['../plugins', '../../../../examples/plugins'].map((folder) =>
  fileURLToPath(new URL(folder, import.meta.url)),
)
const plugins = ['tool_llm', 'letter_embedding', 'tts_flite', 'stt_pocketsphinx', 'echo_stt']

describe.skipIf(python === undefined)('clients in Python', () => {
  const served = serveAll(plugins, { keys: ['key'], models: { 'gpt-4o-mini': 'tool_llm' } }, { pluginsDir })

  /** What a script prints. */
  async function resultsOf(script: string): Promise<unknown> {
    const file = fileURLToPath(new URL(script, import.meta.url))
    const { stdout } = await run(String(python), ['-I', file, served.gateway.url, 'key'])
    return JSON.parse(stdout)
  }

  const called = [
    ['one', { city: 'City 0' }],
    ['two', { city: 'City 1' }],
  ]

  it('openai', async () => {
    const calls = called.map(([name, args]) => [name, JSON.stringify(args)])
    expect(await resultsOf('openai-python.py')).toEqual({
      models: {
        names: expect.arrayContaining(['gpt-4o-mini', 'tool_llm', 'tool_llm/org/small']),
        retrieved: 'tool_llm/large:v1',
      },
      chat: {
        text: 'hello',
        finish_reason: 'stop',
        usage: 4,
        has_id: true,
        pieces: ['two ', 'words'],
        streamed_usage: [5],
        parsed: 4096,
        events: ['chunk', 'content.delta', 'content.done'],
        whole: 'two words',
      },
      tools: {
        finish_reasons: ['tool_calls', 'tool_calls'],
        called: calls,
        streamed: calls,
        answer: 'call_0=one done; call_1=two done',
      },
      responses: {
        text: 'hello',
        messages: 3,
        deltas: ['two ', 'words'],
        final: ['completed', 'two words'],
        parsed: 4096,
        kept: 'hello',
        items: ['hello', 'hello', '/messages'],
        deleted: 'NotFoundError',
      },
      embeddings: { lengths: [2, 1], raw: [2, 97], usage: 3 },
      audio: {
        same_length: true,
        language: 'en-US',
        words: ['i', 'love', 'you'],
        segments: ['i love you'],
        json: 1,
        text: 1,
        streamed: 'one two ',
      },
      errors: [
        ['BadRequestError', 400, 'temperature', 'invalid_value', 'req_'],
        ['AuthenticationError', 401, null, 'invalid_api_key', 'req_'],
        ['NotFoundError', 404, 'model', 'model_not_found', 'req_'],
        ['BadRequestError', 400, 'file', 'invalid_audio', 'req_'],
        ['BadRequestError', 400, 'voice', 'voice_not_found', 'req_'],
        ['RateLimitError', 429, null, 'rate_limit_exceeded', 'req_'],
        ['InternalServerError', 500, null, 'internal_error', 'req_'],
      ],
      error_in_stream: { texts: ['', '0 ', '1 '], type: 'APIError', code: 'llm_completion_failed' },
      retries: {
        limited: [
          [429, null, '1'],
          [429, null, '1'],
        ],
        late: [[504, 'false', null]],
      },
      leaving: { late: 'APITimeoutError', aborts: 2 },
      concurrent: { same: true, cancelled: true },
      realtime: { text: 'hello there', status: 'completed' },
    })
  })

  it('langchain-openai', async () => {
    const talk = {
      text: 'two words',
      usage: 5,
      pieces: ['two ', 'words'],
      streamed_usage: 5,
      called,
      answer: 'call_0=one done; call_1=two done',
      parsed: 4096,
    }
    const embeddings = [2, 1, 3]
    expect(await resultsOf('langchain-python.py')).toEqual({ chat: talk, responses: talk, embeddings })
  })
})
