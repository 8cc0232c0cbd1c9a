import { setTimeout as delay } from 'node:timers/promises'
import { ErrorCodes } from '@appfactory/sdk'
import { expect, test, vi } from 'vitest'
import { notesProcess, processesOf, runningOf } from '../fixtures/plugins.js'
import { startHost, ttsPlugin } from './client.js'

vi.setConfig({ testTimeout: 60_000 })

/** Imported for as long as `ms`, unless somebody ends it. */
function slowPlugin(ms: number): Record<string, string> {
  const files = ttsPlugin('slow')
  const source = files['slow/index.js'] ?? ''
  const wait = `await new Promise((resolve) => setTimeout(resolve, ${ms}))\n`
  return { ...files, 'slow/index.js': notesProcess + wait + source }
}

const cancelOf = (id: string) => ({ jsonrpc: '2.0', method: '$/cancelRequest', params: { id } })
const requestOf = (id: string, method: string, name: string) => ({
  jsonrpc: '2.0',
  id,
  method,
  params: { name },
})
const lines = (...messages: unknown[]): string => messages.map((each) => `${JSON.stringify(each)}\n`).join('')

test('a cancelled load of a plugin that is loaded does not unload it', async () => {
  const host = startHost(ttsPlugin('a'))
  await host.result('plugin/load', { name: 'a' })
  host.write(lines(requestOf('l', 'plugin/load', 'a'), cancelOf('l')))
  const codes: unknown[] = [ErrorCodes.REQUEST_CANCELLED, ErrorCodes.PLUGIN_ALREADY_LOADED]
  expect(codes).toContain((await host.reply('l')).error?.code)
  expect(await host.result('plugin/call', { plugin: 'a', method: 'get_voices' })).toHaveLength(1)
  expect(await host.result('plugin/health', { name: 'a' })).toMatchObject({ status: 'READY' })
})

test('a cancelled load does not end the load of another request; that can be cancelled itself', async () => {
  const host = startHost(slowPlugin(500))
  const dir = `${host.dir}/plugins/slow`
  const first = host.request('plugin/load', { name: 'slow' })
  host.write(lines(requestOf('l', 'plugin/load', 'slow'), cancelOf('l')))
  expect((await host.reply('l')).error).toBeDefined()
  expect((await host.reply(first)).result).toMatchObject({ success: true })
  await host.result('plugin/unload', { name: 'slow' })

  const again = host.request('plugin/load', { name: 'slow' })
  while (processesOf(dir).length < 2) await delay(10)
  host.notify('$/cancelRequest', { id: again })
  expect((await host.reply(again)).error?.code).toBe(ErrorCodes.REQUEST_CANCELLED)
  expect(runningOf(dir)).toEqual([])
  await host.result('plugin/load', { name: 'slow' })
})

test('many plugin/describe at once start one process, which is gone when all are cancelled', async () => {
  const host = startHost({ ...slowPlugin(30_000), ...ttsPlugin('a') })
  const dir = `${host.dir}/plugins/slow`
  const ids = Array.from({ length: 40 }, (_, index) => `d${index}`)
  host.write(lines(...ids.map((id) => requestOf(id, 'plugin/describe', 'slow'))))
  while (processesOf(dir).length === 0) await delay(10)
  host.write(lines(...ids.map(cancelOf)))
  for (const id of ids) expect((await host.reply(id)).error?.code).toBe(ErrorCodes.REQUEST_CANCELLED)
  expect(processesOf(dir)).toHaveLength(1)
  while (runningOf(dir).length > 0) await delay(10)
  expect(await host.result('plugin/describe', { name: 'a' })).toMatchObject({ contract: { name: 'tts' } })
})
