import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { published, root } from './pack.mjs'

/** The public API of each package as text: all declarations that its entry points lead to, without comments. */
export function apiReports() {
  const reports = published.map((folder) => ({
    path: `api/${folder}.txt`,
    text: reportOf(join(root, 'packages', folder)),
  }))
  return reports.filter(({ text }) => text !== '')
}

function reportOf(folder) {
  const { exports = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const entries = Object.entries(exports).flatMap(([name, { types }]) =>
    types ? [{ name, file: join(folder, types) }] : [],
  )
  if (entries.length === 0) return ''
  const files = new Set()
  for (const { file } of entries) follow(file, files)
  const head = entries.map(({ name, file }) => `// ${name}: ${shortName(folder, file)}\n`).join('')
  const bodies = [...files].sort().map((file) => `\n// ${shortName(folder, file)}\n${declarationsOf(file)}`)
  return `// Made by \`pnpm generate\` from what is built; a change here is a change of the public API.\n${head}${bodies.join('')}`
}

/** Adds a declaration file, and all in the same package that it refers to. */
function follow(file, files) {
  if (files.has(file)) return
  if (!existsSync(file)) throw new Error(`${file} is missing; build first`)
  files.add(file)
  for (const [, target] of readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)\.js'/g)) {
    follow(join(dirname(file), `${target}.d.ts`), files)
  }
}

function declarationsOf(file) {
  const text = readFileSync(file, 'utf8').replace(/^ *\/\*\*[\s\S]*?\*\/\n/gm, '')
  return text.replace(/\n{2,}/g, '\n')
}

function shortName(folder, file) {
  return relative(join(folder, 'dist'), file).replaceAll('\\', '/')
}
