// Builds the website from docs/ and the docstrings of what is exported: site/.pages/.vitepress/dist. `--serve` shows it while you write.
import { cpSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Application } from 'typedoc'
import { build, createServer } from 'vitepress'

const root = join(import.meta.dirname, '..')
const pages = join(import.meta.dirname, '.pages')
const reference = join(import.meta.dirname, '.reference')

/** Pages at the root of the repository to which others link. */
const rootPages = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'VERSIONING.md',
  'CODE_OF_CONDUCT.md',
  'LICENSE',
]

/** What the documentation's tests need and readers do not. */
const notPages = new Set(['node_modules', 'test', 'package.json', 'vitest.config.ts'])

for (const [name, entries] of [
  ['sdk', ['index.ts', 'testing/index.ts', 'testing/vitest.ts']],
  ['host', ['index.ts', 'testing.ts']],
])
  await writeReference(name, entries)

rmSync(pages, { recursive: true, force: true })
for (const page of rootPages) cpSync(join(root, page), join(pages, page))
for (const entry of readdirSync(join(root, 'docs')))
  if (!notPages.has(entry)) cpSync(join(root, 'docs', entry), join(pages, 'docs', entry), { recursive: true })
cpSync(reference, join(pages, 'docs/api'), { recursive: true })
// Pictures and scripts stay at their addresses, whichever way a page names them.
const isServed = (path) => statSync(path).isDirectory() || /\.(webp|svg|sh)$/.test(path)
cpSync(join(root, 'docs'), join(pages, 'public/docs'), {
  recursive: true,
  filter: (path) => !/node_modules|test$|\/\.[^/]+$/.test(path) && isServed(path),
})
cpSync(join(import.meta.dirname, '.vitepress'), join(pages, '.vitepress'), { recursive: true })

if (process.argv.includes('--serve')) {
  const server = await createServer(pages)
  await server.listen()
  server.printUrls()
} else await build(pages)

/** The reference of one package, made of its docstrings. */
async function writeReference(name, entries) {
  const src = join(root, 'packages', name, 'src')
  const application = await Application.bootstrapWithPlugins({
    name: `@appfactory/${name}`,
    entryPoints: entries.map((entry) => join(src, entry)),
    tsconfig: join(root, 'packages', name, 'tsconfig.json'),
    plugin: ['typedoc-plugin-markdown'],
    readme: 'none',
    entryFileName: 'index',
    excludeInternal: true,
    excludePrivate: true,
    disableSources: true,
    logLevel: 'Warn',
    out: join(reference, name),
  })
  const project = await application.convert()
  if (!project) throw new Error(`The reference of ${name} can't be made`)
  await application.generateOutputs(project)
}
