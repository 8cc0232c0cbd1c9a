// After tsc: puts together what a plugin's process loads: `runtime/main.js`, and `index.js`, which the author's module imports.
// Both stand on one chunk, so that no class is there twice; the files that need Zod stay out of it. Node would load
// 40 files one by one, which costs a third of a plugin's start-up and 10 MB (docs/performance.md has the figures).
import { fileURLToPath } from 'node:url'
import { build } from 'rolldown'
import { thirdPartyLicences } from '../../../scripts/lib/third-party.mjs'

const dist = fileURLToPath(new URL('../dist', import.meta.url))
const entries = ['index', 'runtime/main', 'internal', 'contracts/registry', 'manifest']

const needsZod = /(contracts\/(registry|describe|\w+\.table)|manifest)\.js$/
const isRuntime = /\/runtime\/[\w-]+\.js$/

await build({
  input: Object.fromEntries(entries.map((name) => [name, `${dist}/${name}.js`])),
  platform: 'node',
  external: ['zod', 'zod-to-json-schema'],
  plugins: [thirdPartyLicences()],
  // Of json-rpc-2.0 the wire needs the forms of messages; its client and server are three quarters of it.
  resolve: { alias: { 'json-rpc-2.0': 'json-rpc-2.0/dist/models.js' } },
  preserveEntrySignatures: 'allow-extension',
  output: {
    dir: dist,
    format: 'esm',
    // As deep as the folders of the sources: relative paths to data stay right.
    chunkFileNames: 'shared/[name].js',
    codeSplitting: {
      groups: [{ name: 'sdk', test: (id) => !needsZod.test(slashes(id)) && !isRuntime.test(slashes(id)) }],
      includeDependenciesRecursively: false,
    },
  },
  logLevel: 'warn',
})

function slashes(path) {
  return path.replaceAll('\\', '/')
}
