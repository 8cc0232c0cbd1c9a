import { PluginHost } from '@appfactory/host'
import { expect, test } from 'vitest'
import { NatsCable } from '../src/nats-cable.js'
import { type NodeOptions, serveNode } from '../src/node.js'
import { temporaryFolder } from './temporary-folder.js'

const folder = temporaryFolder()
/** Nobody listens there, and nobody is asked. */
const reach = { nats: 'nats://127.0.0.1:1', namespace: 'test' }

// Others would not read what a node or a caller with one of these tells them, and nobody would be told why.
test.each([
  ['linkWindowBytes', 1],
  ['linkWindowBytes', 2 ** 30],
  ['linkWindowBytes', Number.POSITIVE_INFINITY],
  ['leaseMs', Number.POSITIVE_INFINITY],
  ['leaseMs', 3_600_000],
  ['leaseMs', 0.5],
])('a node is refused with %s: %d', async (name, value) => {
  const host = new PluginHost({ pluginsDir: folder(), projectDir: false })
  const serving = serveNode(host, { ...reach, node: 'a', [name]: value })
  await expect(serving).rejects.toThrow(new RegExp(`^${name} takes a`))
  await expect(serving).rejects.toBeInstanceOf(TypeError)
  await host.close()
})

test.each([[{ gpu: true }], [{ gpu: 1 }], [['gpu']], ['gpu'], [null]])(
  'labels are texts, so %j are none',
  async (given) => {
    const host = new PluginHost({ pluginsDir: folder(), projectDir: false })
    const options: NodeOptions = { ...reach, node: 'a' }
    Object.assign(options, { labels: given })
    await expect(serveNode(host, options)).rejects.toThrow(/^labels takes/)
    await host.close()
  },
)

test.each([1, 2 ** 30])('a caller is refused with linkWindowBytes: %d', async (linkWindowBytes) => {
  await expect(NatsCable.connect({ ...reach, linkWindowBytes })).rejects.toThrow(/^linkWindowBytes takes/)
})
