// Puts the built page of the Plugin Tester into this package.
import { appendFileSync, cpSync, readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { thirdPartyFile } from '../../../scripts/lib/third-party.mjs'

const from = fileURLToPath(new URL('../../tester/dist', import.meta.url))
const to = fileURLToPath(new URL('../dist/tester/page', import.meta.url))

rmSync(to, { recursive: true, force: true })
cpSync(from, to, { recursive: true })
// What is in the page's folder is served; this is for who has the package, with what the bundle has in it.
const licences = fileURLToPath(new URL(`../dist/${thirdPartyFile}`, import.meta.url))
appendFileSync(licences, `\n${'-'.repeat(80)}\n\n${readFileSync(`${to}/${thirdPartyFile}`, 'utf8')}`)
rmSync(`${to}/${thirdPartyFile}`)
