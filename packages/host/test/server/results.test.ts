import { expect, test } from 'vitest'
import { serverMethods } from '../../src/server/methods.js'
import { startHost, ttsPlugin } from './client.js'

/** One request of each method, in an order in which all of them succeed. */
const requests: [method: string, params: object][] = [
  ['ping', {}],
  ['status', {}],
  ['system/status', {}],
  ['system/discover', {}],
  ['plugin/list', { include_invalid: true }],
  ['plugin/describe', { name: 'a' }],
  ['events/subscribe', { types: ['crash'] }],
  ['plugin/load', { name: 'a' }],
  ['plugin/scale', { name: 'a', replicas: 2 }],
  ['plugin/health', { name: 'a' }],
  ['plugin/active', {}],
  ['plugin/health', {}],
  ['plugin/call', { plugin: 'a', method: 'get_voices' }],
  ['plugin/swap', { old: 'a', new: 'b' }],
  ['plugin/fallback', { name: 'either', plugins: ['b'] }],
  ['plugin/list', {}],
  ['plugin/unload', { name: 'b' }],
  ['shutdown', {}],
]

test('every method of the server answers as its schema says', async () => {
  const broken = { 'broken/manifest.json': '{"name":"broken"}' }
  const host = startHost({ ...ttsPlugin('a'), ...ttsPlugin('b'), ...broken })
  for (const [method, params] of requests) {
    const { result, error } = await host.ask(method, params)
    expect(error, method).toBeUndefined()
    const parsed = serverMethods[method]?.result.safeParse(result)
    expect(parsed?.error?.issues ?? [], method).toEqual([])
    expect(parsed?.success, method).toBe(true)
  }
  // On stdio there is nowhere for bytes to go.
  const answered = Object.keys(serverMethods).filter((method) => method !== 'bytes/open')
  expect(new Set(requests.map(([method]) => method))).toEqual(new Set(answered))
})
