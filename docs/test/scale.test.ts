import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { serveNode } from '@appfactory/cluster'
import { PluginHost } from '@appfactory/host'
import { expect, it } from 'vitest'
import { describeWithNats, startNatsServer } from '../../packages/cluster/test/nats-server.js'
import { tempDir } from '../../packages/sdk/test/temp-dir.js'
import { testDocument } from './document.js'
import { patternOf } from './match.js'
import { root } from './reader.js'

const execute = promisify(execFile)

testDocument('docs/scale.md', ({ blocks, reader }) => {
  describeWithNats('on NATS', () => {
    it('calls the plugins of a node', async () => {
      await using server = await startNatsServer()
      await using host = new PluginHost({ pluginsDir: join(root, 'examples/plugins') })
      await host.load('tts_tone')
      await using _node = await serveNode(host, { nats: server.url, namespace: 'demo', node: 'one' })
      const env = { ...process.env, NATS_URL: server.url }
      const { stdout } = await execute(process.execPath, [join(reader().path, 'js/caller.js')], { env })
      expect(stdout).toBe("24000 [ 'one' ]\n")
    })

    it('keeps running what is wanted', async () => {
      await using server = await startNatsServer({ config: 'jetstream { store_dir: "js" }' })
      await using host = new PluginHost({ pluginsDir: join(root, 'examples/plugins') })
      const options = { nats: server.url, namespace: 'demo', node: 'one', labels: { disk: 'ssd' } }
      await using _node = await serveNode(host, { ...options, desired: true })
      const env = { ...process.env, NATS_URL: server.url }
      const { stdout } = await execute(process.execPath, [join(reader().path, 'js/wanted.js')], { env })
      expect(stdout).toBe('24000 tts_tone 2 2\n')
      expect(host.status().pluginsLoaded).toBe(0)
    })

    it('runs three nodes as the page shows, and leaves nothing behind', { timeout: 120_000 }, async () => {
      const TMPDIR = tempDir()
      const env = { ...process.env, TMPDIR, NO_COLOR: '1' }
      const { stdout } = await execute('bash', ['docs/three-nodes.sh'], { cwd: root, env })
      const shown = blocks.find(({ kind }) => kind === 'shown')?.text ?? ''
      expect(stdout.trim()).toMatch(patternOf(shown.trim()))
      expect(readdirSync(TMPDIR)).toEqual([])
      await expect.poll(() => processesWith(`TMPDIR=${TMPDIR}`)).toEqual([])
    })
  })
})

/** Processes that have it in their environment, by their command lines. Only Linux tells. */
function processesWith(variable: string): string[] {
  if (process.platform !== 'linux') return []
  const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return processes
    .filter((pid) => read(`/proc/${pid}/environ`).includes(variable))
    .map((pid) => read(`/proc/${pid}/cmdline`))
}

/** Nothing, where it has ended, or belongs to another user. */
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
