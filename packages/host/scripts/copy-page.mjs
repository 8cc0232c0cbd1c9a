// Puts the built page of the Plugin Tester into this package.
import { cpSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const from = fileURLToPath(new URL('../../tester/dist', import.meta.url))
const to = fileURLToPath(new URL('../dist/tester/page', import.meta.url))

rmSync(to, { recursive: true, force: true })
cpSync(from, to, { recursive: true })
