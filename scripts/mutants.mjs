// pnpm mutants [file or folder …] [--json]: changes the code in small ways, one change at a time, and lists the changes that no
// unit test notices. Without files: all folders whose units have tests of their own.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { makeMutants } from './lib/mutants/make.mjs'
import { tryMutants } from './lib/mutants/try.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const folders = [
  ...['wire', 'codec', 'runtime'].map((folder) => `packages/sdk/src/${folder}`),
  ...['slot', 'instance', 'server'].map((folder) => `packages/host/src/${folder}`),
]
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
})
const { changes, files: fileReasons } = JSON.parse(
  readFileSync(new URL('lib/mutants/kept.json', import.meta.url), 'utf8'),
)

const wanted = (positionals.length > 0 ? positionals : folders).flatMap(filesIn)
const files = wanted.filter((file) => fileReasons[file] === undefined)
const mutants = await makeMutants(root, files)
const whatCameOf = await tryMutants(root, mutants)
const kept = new Set(Object.values(changes).flat())
const results = mutants.list.map((mutant) => ({ ...mutant, outcome: outcomeOf(mutant) }))

if (values.json) console.log(JSON.stringify(results, null, 2))
else report()

function outcomeOf({ id, name }) {
  const outcome = whatCameOf(id)
  if (outcome === 'noticed') return outcome
  if (kept.has(name)) return 'kept'
  // Runs once, when its module is loaded: no test can see both ways.
  return outcome === 'loaded' ? 'not tried' : 'survived'
}

function report() {
  for (const { file, line, name, outcome } of results)
    if (outcome === 'survived') console.log(`${file}:${line}  ${name.slice(file.length + 2)}`)
  for (const folder of new Set(results.map(folderOf))) {
    const of = results.filter((result) => folderOf(result) === folder)
    const count = (wanted) => of.filter(({ outcome }) => outcome === wanted).length
    const noticed = count('noticed')
    const all = noticed + count('survived')
    const share = all === 0 ? '' : `, ${((100 * noticed) / all).toFixed(0)} %`
    console.log(
      `${folder}: ${noticed} of ${all} noticed${share}; ${count('kept')} are kept, ${count('not tried')} run when loaded`,
    )
  }
  for (const file of wanted)
    if (fileReasons[file] !== undefined) console.log(`${file}: left out: ${fileReasons[file]}`)
  const here = [...kept].filter((name) => files.some((file) => name.startsWith(`${file}: `)))
  for (const name of here)
    if (!results.some((result) => result.name === name))
      console.log(`kept.json names a change that is none: ${name}`)
}

function folderOf({ file }) {
  return file.slice(0, file.lastIndexOf('/'))
}

function filesIn(path) {
  const absolute = resolve(path)
  const paths = statSync(absolute).isDirectory()
    ? readdirSync(absolute, { recursive: true }).map((name) => resolve(absolute, name))
    : [absolute]
  return paths
    .filter((file) => file.endsWith('.ts'))
    .sort()
    .map((file) => relative(root, file).split(sep).join('/'))
}
