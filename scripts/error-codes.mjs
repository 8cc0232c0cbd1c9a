// Writes config/error_codes.yaml and docs/error-codes.md from the SDK's table.
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { errorCodesMarkdown, errorCodesYaml } from './lib/error-codes.mjs'

const root = new URL('../', import.meta.url)

for (const [path, text] of [
  ['config/error_codes.yaml', errorCodesYaml()],
  ['docs/error-codes.md', errorCodesMarkdown()],
]) {
  mkdirSync(fileURLToPath(new URL('.', new URL(path, root))), { recursive: true })
  writeFileSync(new URL(path, root), text)
}
