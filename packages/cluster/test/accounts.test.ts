import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PluginHost } from '@appfactory/host'
import { expect, it } from 'vitest'
import { Cluster } from '../src/cluster.js'
import { natsConfig } from '../src/nats-config.js'
import { serveNode } from '../src/node.js'
import { describeWithNats, startNatsServer } from './nats-server.js'

describeWithNats('tenants that are accounts of NATS', () => {
  it('see nothing of each other, under the same names', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'appfactory-accounts-'))
    const account = async (tenant: string): Promise<string> => {
      const files = natsConfig({ namespace: 'voice', nodes: ['one'], callers: ['web'] })
      for (const { name, text } of files) await writeFile(join(folder, `${tenant}-${name}`), text)
      const [users] = /users: \[[\s\S]*\n {2}\]/.exec(files[0]?.text ?? '') ?? []
      return `${tenant} { ${users} }`
    }
    const as = (tenant: string, user: string) => ({
      ...{ nats: server.url, namespace: 'voice', creds: join(folder, `${tenant}-${user}.nkey`) },
    })
    const config = `accounts {\n${await account('acme')}\n${await account('other')}\n}\n`
    await using server = await startNatsServer({ config })
    await using host = new PluginHost({ pluginsDir: folder, projectDir: false })
    await using _node = await serveNode(host, { ...as('acme', 'one'), node: 'one' })
    await using acme = await Cluster.connect(as('acme', 'web'))
    await using other = await Cluster.connect(as('other', 'web'))
    expect(acme.nodes()).toMatchObject([{ node: 'one' }])
    expect(other.nodes()).toEqual([])
    await rm(folder, { recursive: true, force: true })
  })
})
