import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startChild } from '../contenders/child.mjs'
import { startAll, stopAll } from '../rounds.mjs'

const pluginCount = 100
const template = fileURLToPath(new URL('../plugins/echo_llm', import.meta.url))
const hostFile = fileURLToPath(new URL('../children/host.mjs', import.meta.url))

/** Calls to one plugin while 99 others are loaded, and what each of them takes of the host's memory. */
export const hundred = {
  name: 'hundred',
  title: '100 plugins loaded, 64 calls in flight',
  unit: 'calls/s',
  units: { 'host’s growth per plugin': 'MB' },
  base: 'one plugin',
  targets: [
    { of: '100 plugins', against: 'one plugin', atLeast: 0.9 },
    { of: 'host’s growth per plugin', atMost: 1 },
  ],
  open: async () => {
    const dir = mkdtempSync(join(tmpdir(), 'appfactory-bench-'))
    const removeDir = () => rmSync(dir, { recursive: true, force: true })
    try {
      copyPlugins(dir)
      const hosts = await startAll({
        one: () => startChild(hostFile, [dir, '1'], ['--expose-gc']),
        all: () => startChild(hostFile, [dir, String(pluginCount)], ['--expose-gc']),
      })
      return {
        measures: {
          'one plugin': () => hosts.one.ask('callsPerSecond'),
          '100 plugins': () => hosts.all.ask('callsPerSecond'),
          'host’s growth per plugin': () => hosts.all.ask('growthMb'),
        },
        close: () => stopAll(hosts).finally(removeDir),
      }
    } catch (error) {
      removeDir()
      throw error
    }
  },
}

function copyPlugins(dir) {
  const manifest = JSON.parse(readFileSync(join(template, 'manifest.json'), 'utf8'))
  for (let number = 0; number < pluginCount; number++) {
    const name = `echo_${number}`
    mkdirSync(join(dir, name))
    cpSync(join(template, 'index.js'), join(dir, name, 'index.js'))
    // Without it, Node would take the file for CommonJS first.
    writeFileSync(join(dir, name, 'package.json'), JSON.stringify({ type: 'module' }))
    writeFileSync(join(dir, name, 'manifest.json'), JSON.stringify({ ...manifest, name }))
  }
}
