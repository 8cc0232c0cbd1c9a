import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { keyRules } from '../../packages/gateway/dist/keys.js'
import { defaultLimits } from '../../packages/gateway/dist/options.js'
import { routes } from '../../packages/gateway/dist/routes.js'
import { testDocument } from './document.js'
import { shown } from './limits.js'
import { tableOf } from './tables.js'

// The page's own port may be in use here.
const server = createServer().listen(0, '127.0.0.1')
await once(server, 'listening')
process.env['PORT'] = String((server.address() as AddressInfo).port)
server.close()

const { text } = testDocument('docs/gateway.md', () => {
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
})
