import type { PluginHost } from '@appfactory/host'
import { encodeWav } from '@appfactory/sdk'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { tone } from './audio/sound.js'
import { type Answer, chat, json, post, serve, startHost, textIn } from './visitor.js'

let host: PluginHost
beforeAll(async () => {
  host = await startHost(['tool_llm', 'echo_stt'])
})
afterAll(() => host.close({ force: true }))

const wav = Buffer.from(encodeWav(tone(8000, 0.1), { sampleRate: 8000 })).toString('base64')
const sound = (data: string) => ({ type: 'input_audio', input_audio: { data, format: 'wav' } })
const heard = { sampleRate: 8000, samples: 800 }

function say(port: number, data: string): Promise<Answer> {
  const content = [{ type: 'text', text: '' }, sound(data)]
  return chat(port, '', { messages: [{ role: 'user', content }] })
}

it('hears sound for a model that takes none, in chat and in responses', async () => {
  const { port } = await serve(host, { hear: true })
  expect(JSON.parse(textIn(await say(port, wav)))).toMatchObject(heard)
  const input = [{ role: 'user', content: [sound(wav)] }]
  const { output } = json(await post(port, '/v1/responses', { model: 'tool_llm', input })) as {
    output: { content: { text: string }[] }[]
  }
  expect(JSON.parse(output[0]?.content[0]?.text ?? '')).toMatchObject(heard)
})

it('refuses what is no sound, and works on', async () => {
  const { port } = await serve(host, { hear: true })
  const answer = await say(port, Buffer.from('no sound').toString('base64'))
  expect(answer.status).toBe(400)
  expect(json(answer)).toMatchObject({
    error: { param: 'input_audio', code: expect.stringMatching(/^(invalid_audio|unsupported_format)$/) },
  })
  expect(await say(port, wav)).toMatchObject({ status: 200 })
})

it('hears nothing unless it is told to', async () => {
  const { port } = await serve(host)
  const answer = await say(port, wav)
  expect(json(answer)).toMatchObject({ error: { param: 'messages[0].content[1]', code: 'invalid_value' } })
})
