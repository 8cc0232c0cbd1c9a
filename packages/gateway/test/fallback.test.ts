import { once } from 'node:events'
import type { PluginHost } from '@appfactory/host'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Gateway, type GatewayKey, serveGateway } from '../src/index.js'
import { type Answer, json, post, send, startHost } from './visitor.js'

const keys: GatewayKey[] = [
  { key: 'all' },
  { key: 'one', models: ['tone_tts'] },
  { key: 'alias', models: ['tts-1'] },
]
const models = {
  'tts-1': 'wave_tts, tone_tts?voice=low',
  'chat/any': 'tool_llm/org/small,own_things',
  mixed: 'tone_tts,tool_llm',
}

let host: PluginHost
let gateway: Gateway
beforeAll(async () => {
  host = await startHost(['wave_tts', 'tone_tts', 'tool_llm'])
  gateway = await serveGateway(host, { port: 0, keys, models })
})
afterAll(async () => {
  await gateway.close()
  await host.close({ force: true })
})

const as = (key: string, more: object = {}) => ({ authorization: `Bearer ${key}`, ...more })
const forbidden = { 'x-appfactory-fallback': 'false' }

function speak(key = 'all', headers: object = {}, body: object = {}): Promise<Answer> {
  const request = { model: 'tts-1', input: 'one two three', response_format: 'pcm', ...body }
  return post(gateway.port, '/v1/audio/speech', request, as(key, headers))
}

async function names(key: string): Promise<string[]> {
  const { data } = json(await send(gateway.port, { path: '/v1/models', headers: as(key) }))
  return (data as { id: string }[]).map(({ id }) => id).sort()
}

it('lists an alias of several plugins once, and nothing of how it is made', async () => {
  expect((await speak()).status).toBe(200)
  expect(await names('all')).toContain('tts-1')
  expect((await names('all')).filter((name) => name.includes(':tts'))).toEqual([])
  expect(await names('alias')).toEqual(['tts-1'])
})

it('lets a key use it only where each of its plugins, or the alias, is the key’s', async () => {
  expect((await speak('alias')).status).toBe(200)
  expect((await speak('one')).status).toBe(404)
})

it('answers with the next plugin once the first is gone, and with the first only where the client says so', async () => {
  const listed = await post(gateway.port, '/v1/audio/speech', { model: 'tts-1', input: 'Hi' }, as('all'))
  expect(listed.status).toBe(200)
  const left = once(host, 'fallback')
  await host.unload('wave_tts')
  expect(await left).toMatchObject([{ plugin: 'model:tts-1', serving: 'tone_tts', previous: 'wave_tts' }])
  expect((await speak()).status).toBe(200)
  expect((await speak('all', {}, { voice: 'alloy' })).status).toBe(200)
  expect((await speak('all', forbidden)).status).toBe(404)
  const wrong = await speak('all', { 'x-appfactory-fallback': 'never' })
  expect([wrong.status, wrong.body]).toEqual([400, expect.stringContaining('must be true or false')])
  await host.load('wave_tts')
})

it('tells which plugins can’t stand for one model', async () => {
  const { status, body } = await speak('all', {}, { model: 'mixed' })
  expect([status, body]).toEqual([500, expect.stringContaining('contract_mismatch')])
})

it('calls fallbacks that the application has made by their names', async () => {
  await host.fallback('voice', ['wave_tts', 'tone_tts'])
  expect((await speak('all', {}, { model: 'voice' })).status).toBe(200)
  expect((await speak('all', forbidden, { model: 'voice' })).status).toBe(200)
  const path = '/v1/plugins/voice/get_voices'
  const first = await post(gateway.port, path, {}, as('all'))
  await host.unload('wave_tts')
  const next = await post(gateway.port, path, {}, as('all'))
  expect([first.status, next.status]).toEqual([200, 200])
  expect(next.body).not.toBe(first.body)
  expect((await post(gateway.port, path, {}, as('all', forbidden))).status).toBe(503)
  await host.load('wave_tts')
})

it('keeps what a fallback says of its first plugin where no other one may answer', async () => {
  await host.fallback('mapped', [{ plugin: 'tone_tts', defaults: { speed: 1.5 } }, 'wave_tts'])
  const { body } = await speak('all', forbidden, { model: 'mapped', input: '/options' })
  expect(body).toContain('speed')
})
