// Makes the command: one file without dependencies, whose prompts are evaluated only where somebody is asked.
import { fileURLToPath } from 'node:url'
import { build } from 'rolldown'
import { thirdPartyLicences } from '../../../scripts/lib/third-party.mjs'
import { embed } from './embed.mjs'

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))

await build({
  input: path('../src/main.ts'),
  platform: 'node',
  plugins: [embed(), thirdPartyLicences()],
  // yargs looks for presets with it, which are not used.
  transform: { define: { 'import.meta.resolve': 'undefined' } },
  output: { file: path('../dist/create.cjs'), format: 'cjs', codeSplitting: false, minify: true },
  logLevel: 'warn',
})
