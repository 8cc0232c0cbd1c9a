import { expect, test } from 'vitest'
import { PluginHost } from '../../src/index.js'
import { linkZod, temporaryFolder, writePlugin } from '../fixtures/plugins.js'

/** The methods that open, use and close a session all give bytes. */
const talk = `
import { defineContract } from '@appfactory/sdk'
import { z } from 'zod'
const bytes = z.instanceof(Uint8Array)
const ofSession = { args: z.object({ sessionId: z.string() }), result: z.object({ sound: bytes }) }
const Talk = defineContract({
  name: 'talk',
  version: '1.0.0',
  methods: {
    open: { session: 'open', args: z.object({}), result: z.object({ sessionId: z.string(), sound: bytes }) },
    say: { session: 'use', ...ofSession },
    end: { session: 'close', ...ofSession },
  },
})
const sound = new Uint8Array(5000).fill(7)
export default class extends Talk {
  async initialize() {}
  async shutdown() {}
  healthCheck() { return { status: this.status } }
  open() { return { sessionId: 'one', sound } }
  say() { return { sound } }
  end() { return { sound } }
}`

test('bytes are base64 in the results of a session too, the one that opens it included', async () => {
  const root = temporaryFolder()
  const dir = writePlugin(root, 'talk', talk, { contract: 'talk' })
  linkZod(dir)
  await using host = new PluginHost({ pluginsDir: root })
  await host.load('talk')
  const sound = { sound_b64: Buffer.alloc(5000, 7).toString('base64') }
  const opened = await host.call('talk', 'open')
  expect(opened).toEqual({ session_id: expect.any(String), ...sound })
  const session = { session_id: Reflect.get(Object(opened), 'session_id') }
  expect(await host.call('talk', 'say', session)).toEqual(sound)
  expect(await host.call('talk', 'end', session)).toEqual(sound)
})
