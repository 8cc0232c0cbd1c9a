// Serves this clone's packages, so that one can do as users will: `npm_config_registry=… npm create appfactory-plugin`.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startRegistry } from './lib/registry.mjs'

const folder = mkdtempSync(join(tmpdir(), 'appfactory-registry-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(0))
const { url } = await startRegistry(folder, 4873)
console.log(`The packages of this clone are at ${url} until Ctrl-C. In another shell:

  export npm_config_registry=${url}
  npm create appfactory-plugin@latest my_tts_plugin -- --contract tts --yes`)
