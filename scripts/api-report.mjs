// Writes api/*.txt, the public API of each package, so that a change of it shows in a diff.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { apiReports } from './lib/api-report.mjs'
import { root } from './lib/pack.mjs'

for (const { path, text } of apiReports()) {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}
