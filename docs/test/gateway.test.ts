import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keyRules } from '../../packages/gateway/dist/keys.js'
import { defaultLimits } from '../../packages/gateway/dist/options.js'
import { routes } from '../../packages/gateway/dist/routes.js'
import { testDocument } from './document.js'
import { ServedGateway } from './gateway.js'
import { shown } from './limits.js'
import { tableOf } from './tables.js'

// The page's own port may be in use here.
const server = createServer().listen(0, '127.0.0.1')
await once(server, 'listening')
process.env['PORT'] = String((server.address() as AddressInfo).port)
server.close()

const { text } = testDocument('docs/gateway.md', ({ reader }) => {
  it('lists every route', () => {
    const known = routes.map(({ method, path }) => `${method} ${path}`)
    expect(tableOf(text, 'Routes').map(([route]) => route)).toEqual(known)
  })

  it('lists every member of a key', () => {
    expect(tableOf(text, 'Who may ask').map(([member]) => member)).toEqual(Object.keys(keyRules))
  })

  it('lists every limit with its default', () => {
    const known = Object.entries(defaultLimits).map(([name, value]) => [name, shown(value)])
    expect(tableOf(text, 'Limits').map((row) => row.slice(0, 2))).toEqual(known)
  })

  describe('the settings of clients', () => {
    let gateway: ServedGateway
    beforeAll(async () => {
      const plugins = ['tts_flite', 'stt_pocketsphinx', 'llm_llama'].flatMap((name) => ['--load', name])
      gateway = await ServedGateway.start(['gateway', '--plugins-dir', 'examples/plugins', ...plugins])
    })
    afterAll(() => gateway[Symbol.asyncDispose]())

    it.each([
      ['curl', 'bash clients/curl.sh'],
      ['openai in Node', 'node js/clients/openai.js'],
    ])('%s hears what was said', async (_client, command) => {
      const text = `sed -i.bak 's/127.0.0.1:8080/${gateway.address}/' ${command.split(' ')[1]}; ${command}`
      const block = { place: '', language: 'sh', kind: 'run', attributes: { in: '.' }, text }
      const { output, errors } = await reader().run(block)
      expect(errors).toBe('')
      expect(output).toContain('i love you')
    })

    it('openai gets a call of a tool, and an answer of a schema, from a model that knows neither', async () => {
      const openai = new OpenAI({ baseURL: `http://${gateway.address}/v1`, apiKey: 'none' })
      const asked = {
        model: 'llm_llama',
        messages: [{ role: 'user' as const, content: 'what is the weather in paris' }],
      }
      const schema = {
        type: 'object',
        properties: { city: { enum: ['Paris', 'Tokyo'] } },
        required: ['city'],
        additionalProperties: false,
      }
      const city = expect.stringMatching(/^\{\s*"city": ?"(Paris|Tokyo)"\s*\}$/)
      const called = await openai.chat.completions
        .stream({
          ...asked,
          tools: [{ type: 'function', function: { name: 'weather', parameters: schema } }],
          tool_choice: 'required',
        })
        .finalChatCompletion()
      expect(called.choices[0]).toMatchObject({
        finish_reason: 'tool_calls',
        message: {
          content: null,
          tool_calls: [{ function: { name: 'weather', arguments: city } }],
        },
      })
      const { choices } = await openai.chat.completions.parse({
        ...asked,
        response_format: { type: 'json_schema', json_schema: { name: 'place', strict: true, schema } },
      })
      expect(choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: city } })
    })
  })
})
