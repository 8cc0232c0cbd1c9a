import type { PluginHost } from '@appfactory/host'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chat, eventsIn, json, post, send, serve, startHost, textIn } from './visitor.js'

let host: PluginHost
beforeAll(async () => {
  host = await startHost(['tool_llm', 'wave_tts'])
})
afterAll(() => host.close({ force: true }))

describe('POST /v1/chat/completions', () => {
  it('answers with all members that clients look at', async () => {
    const { port } = await serve(host)
    const answer = await chat(port, 'two words')
    expect(answer).toMatchObject({
      status: 200,
      headers: {
        'content-type': 'application/json',
        'x-request-id': expect.stringMatching(/^req_[0-9a-f]{32}$/),
      },
    })
    expect(json(answer)).toEqual({
      id: expect.stringMatching(/^chatcmpl-[0-9a-f]{32}$/),
      object: 'chat.completion',
      created: expect.any(Number),
      model: 'tool_llm',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'two words', refusal: null },
          finish_reason: 'stop',
          logprobs: null,
        },
      ],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    })
  })

  it('passes options on under the names of the contract', async () => {
    const { port } = await serve(host)
    const answer = await chat(port, '/options', {
      model: 'tool_llm/org/small',
      max_tokens: 7,
      max_completion_tokens: 9,
      temperature: 0.5,
      top_p: 0.25,
      stop: 'x',
      seed: 3,
      user: 'me',
      logit_bias: { '50': 1 },
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'r', strict: true, schema: { type: 'object' } },
      },
    })
    expect(JSON.parse(textIn(answer))).toEqual({
      model: 'org/small',
      maxTokens: 9,
      temperature: 0.5,
      topP: 0.25,
      stopSequences: ['x'],
      seed: 3,
      responseFormat: { type: 'json_schema', schema: { type: 'object' } },
      providerOptions: { openai: { user: 'me', logit_bias: { '50': 1 } } },
    })
    expect(answer.headers['x-appfactory-ignored']).toBe('logit_bias, user')
  })
})
void [eventsIn, post, send]
