// Writes config/error_codes.yaml, docs/error-codes.md and the codes for Python from the SDK's table.
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { errorCodesMarkdown, errorCodesPython, errorCodesYaml } from './lib/error-codes.mjs'

const root = new URL('../', import.meta.url)

for (const [path, text] of [
  ['config/error_codes.yaml', errorCodesYaml()],
  ['docs/error-codes.md', errorCodesMarkdown()],
  ['packages/python/src/appfactory/error_codes.py', errorCodesPython()],
]) {
  mkdirSync(fileURLToPath(new URL('.', new URL(path, root))), { recursive: true })
  writeFileSync(new URL(path, root), text)
}
