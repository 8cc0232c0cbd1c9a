import { readFileSync } from 'node:fs'
import { Instrumenter } from '@stryker-mutator/instrumenter'

const silent = () => {}
const logger = {
  isDebugEnabled: () => false,
  ...{ trace: silent, debug: silent, info: silent, warn: console.error, error: console.error },
}

// Tests assert on codes, not on wording.
const excludedMutations = ['StringLiteral']

/** Where the code asks which change is made, and says that it came by: see runner.mjs. */
const header = `const { isActive: stryMutAct_9fa48, cover: stryCov_9fa48 } = globalThis.__mutants__;\n`

/** All changes of these files in one copy of each, behind switches. */
export async function makeMutants(root, files) {
  const sources = files.map((file) => ({
    name: file,
    content: readFileSync(`${root}/${file}`, 'utf8'),
    mutate: true,
  }))
  const options = { plugins: null, ignorers: [], noHeader: true, excludedMutations }
  const instrumented = await new Instrumenter(logger).instrument(sources, options)
  const contents = new Map(instrumented.files.map(({ name, content }) => [name, header + content]))
  const lines = new Map(sources.map(({ name, content }) => [name, content.split('\n')]))
  const list = instrumented.mutants
    .filter(({ status }) => status === undefined)
    .map(({ id, fileName: file, location: { start, end }, replacement }) => {
      const before = excerpt(lines.get(file), start, end)
      const name = `${file}: ${brief(before)} → ${brief(replacement)}`
      return { id, file, line: start.line + 1, name }
    })
  return { list, contents }
}

function excerpt(lines, start, end) {
  const taken = lines.slice(start.line, end.line + 1)
  taken[taken.length - 1] = taken.at(-1).slice(0, end.column)
  taken[0] = taken[0].slice(start.column)
  return taken.join('\n')
}

function brief(code) {
  const line = code.replaceAll(/\s+/g, ' ')
  return line.length <= 120 ? line : `${line.slice(0, 80)} … ${line.slice(-35)}`
}
