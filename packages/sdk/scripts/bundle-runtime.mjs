// After tsc: makes one file of what runs in a plugin's process. Node would load 30 files one by one, which costs a third
// of a plugin's start-up and 10 MB (docs/performance.md has the figures).
import { fileURLToPath } from 'node:url'
import { build } from 'rolldown'

const main = fileURLToPath(new URL('../dist/runtime/main.js', import.meta.url))

await build({
  input: main,
  platform: 'node',
  // Needed only to make a JSON Schema of an author's Zod schema; an author who has one has loaded Zod already.
  external: ['zod', 'zod-to-json-schema'],
  output: { file: main, format: 'esm', codeSplitting: false },
  logLevel: 'warn',
})
