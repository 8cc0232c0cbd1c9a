// After tsc: puts together what an application or the command loads, with the packages that nothing else uses: Node loads 29
// files for it in place of 215 (docs/performance.md). The "files" of package.json are what is published.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'rolldown'
import { thirdPartyLicences } from '../../../scripts/lib/third-party.mjs'

const dist = fileURLToPath(new URL('../dist', import.meta.url))
const { dependencies, peerDependencies } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
)
const entries = [
  'index',
  'internal',
  'opentelemetry',
  'testing',
  'cli/main',
  'config/schema-worker',
  'metrics/index',
  'tester/serve',
]
const notBundled = [...Object.keys(dependencies), ...Object.keys(peerDependencies), 'vitest']

await build({
  input: Object.fromEntries(entries.map((name) => [name, `${dist}/${name}.js`])),
  platform: 'node',
  external: (id) => notBundled.some((name) => id === name || id.startsWith(`${name}/`)),
  plugins: [thirdPartyLicences()],
  output: {
    dir: dist,
    format: 'esm',
    // As deep as the folders of the sources: relative paths to data stay right.
    chunkFileNames: 'shared/[name].js',
  },
  logLevel: 'warn',
})
