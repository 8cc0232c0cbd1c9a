import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkManifest } from '@appfactory/sdk/manifest'
import { afterAll, describe, expect, it } from 'vitest'
import { type Answers, contracts, engines } from '../src/answers.js'
import { exampleNames, filesOfExample } from '../src/examples.js'
import { type PlannedFile, plan } from '../src/plan.js'
import { type Given, withDefaults } from '../src/read-answers.js'

/** In the package, so that what is made finds the packages that it needs. Git does not see it. */
const folder = fileURLToPath(new URL('../out/plan', import.meta.url))
const root = fileURLToPath(new URL('../../..', import.meta.url))

const matrix = contracts.flatMap((contract) =>
  engines.flatMap((engine) =>
    (['typescript', 'javascript'] as const).map((language) => ({ contract, engine, language })),
  ),
)

const hostile = {
  displayName: '*/ {{name}} $1 `x` "y" \'z\' \\ 🙂 <b> # [a](b)',
  description: '--> */ {{{description}}} "quoted" \\n & <script>alert(1)</script> 🙂',
  author: 'Tom & "J" \\x',
  config: [
    `text:string='"\`\\{{y}}*/🙂`,
    'empty:string=',
    'key:string',
    'count:integer=-3',
    'ratio:number=1e-7',
    'on:boolean=false',
  ],
}

function answersOf(given: Given): Answers {
  return withDefaults({ name: 'my_plugin', ...given }, { packageManager: 'npm' })
}

function textOf(files: readonly PlannedFile[], path: string): string {
  const content = files.find((file) => file.path === path)?.content
  if (typeof content !== 'string') throw new Error(`no text ${path}`)
  return content
}

function write(name: string, files: readonly PlannedFile[]): string {
  for (const { path, content } of files) {
    mkdirSync(dirname(join(folder, name, path)), { recursive: true })
    writeFileSync(join(folder, name, path), content)
  }
  return join(folder, name)
}

/** All files in one text. */
function asText(files: readonly PlannedFile[]): string {
  const texts = files.map(({ path, content }) => {
    const text = typeof content === 'string' ? content : `${content.length} bytes\n`
    // Ranges change with each release.
    return `── ${path}\n${text.replace(/"\^\d[^"]*"/g, '"^…"').replace(/zod@\^[\d.]+/, 'zod@^…')}`
  })
  return texts.join('\n')
}

/** What this repository's formatter says of the files in a folder. */
function biomeSays(dir: string) {
  const biome = createRequire(import.meta.url).resolve('@biomejs/biome/bin/biome', { paths: [root] })
  const args = [biome, 'check', '--vcs-enabled=false', '--colors=off', dir]
  return spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
}

function compilerSays(project: string) {
  const typescript = createRequire(import.meta.url).resolve('typescript/package.json', { paths: [root] })
  const args = [join(dirname(typescript), 'bin/tsc'), '-p', project, '--noEmit']
  return spawnSync(process.execPath, args, { encoding: 'utf8' })
}

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe.each(matrix)('$contract over $engine in $language', ({ contract, engine, language }) => {
  const answers = answersOf({ contract, engine, language })
  const files = plan(answers)

  it('is what it was', async () => {
    await expect(asText(files)).toMatchFileSnapshot(`snapshots/${contract}-${engine}-${language}.txt`)
  })

  it('has at most 15 files, and is the same for the same answers', () => {
    expect(files.length).toBeLessThanOrEqual(engine === 'sample' ? 13 : 15)
    expect(plan(answersOf({ contract, engine, language }))).toEqual(files)
  })

  it('keeps hostile answers where they belong', () => {
    const given = plan(answersOf({ contract, engine, language, ...hostile }))
    const manifest: unknown = JSON.parse(textOf(given, 'manifest.json'))
    expect(checkManifest(manifest)).toMatchObject({ valid: true, warnings: [] })
    const { displayName, description, author } = hostile
    expect(manifest).toMatchObject({ display_name: displayName, description, author })
    expect(JSON.parse(textOf(given, 'package.json'))).toMatchObject({ description, author })
    const readme = textOf(given, 'README.md')
    expect(readme).toContain('\\<b\\> \\# \\[a\\](b)')
    expect(readme).not.toMatch(/(?<!\\)<(b|script)>|(?<!\\)\[a\]/)
    // A template that printed an answer without saying where would have escaped it for HTML.
    for (const { content } of given) expect(String(content)).not.toMatch(/&(amp|quot|lt|#x27|#x60);/)
    expect(given.map(({ path }) => path)).toEqual(files.map(({ path }) => path))
  })

  it('has the same configuration in its source and in its manifest', async () => {
    const given = plan(answersOf({ contract, engine, language, ...hostile }))
    const source = textOf(given, language === 'typescript' ? 'src/index.ts' : 'src/index.js')
    const [, body = ''] = /configSchema = z\.strictObject\(\{\n(.*?)\n\}\)/s.exec(source) ?? []
    const { z } = await import('zod')
    const schema: unknown = new Function('z', `return z.strictObject({${body}})`)(z)
    if (!(schema instanceof z.ZodObject)) throw new Error('not a schema')
    const { config_schema: declared }: { config_schema?: unknown } = JSON.parse(
      textOf(given, 'manifest.json'),
    )
    expect(declared).toEqual(z.toJSONSchema(schema, { io: 'input' }))
    expect(schema.parse({})).toMatchObject({
      text: `'"\`\\{{y}}*/🙂`,
      empty: '',
      count: -3,
      ratio: 1e-7,
      on: false,
    })
  })
})

const pythonMatrix = contracts.flatMap((contract) => engines.map((engine) => ({ contract, engine })))

describe.each(pythonMatrix)('$contract over $engine in Python', ({ contract, engine }) => {
  const files = plan(answersOf({ contract, engine, language: 'python' }))

  it('is what it was', async () => {
    await expect(asText(files)).toMatchFileSnapshot(`snapshots/${contract}-${engine}-python.txt`)
  })

  it('has at most 18 files, and nothing of another language’s tools', () => {
    expect(files.length).toBeLessThanOrEqual(engine === 'sample' ? 16 : 18)
    expect(files.map(({ path }) => path)).not.toContain('tsconfig.json')
    expect(asText(files)).not.toMatch(/zod|vitest|dist\/index/)
  })

  it('keeps hostile answers where they belong', () => {
    const given = plan(answersOf({ contract, engine, language: 'python', ...hostile }))
    const manifest: unknown = JSON.parse(textOf(given, 'manifest.json'))
    expect(checkManifest(manifest)).toMatchObject({ valid: true, warnings: [] })
    const { displayName, description, author } = hostile
    expect(manifest).toMatchObject({ display_name: displayName, description, author })
    const code = (all: readonly PlannedFile[]) =>
      all.filter(({ path }) => /\.(py|mjs|toml|txt|yml)$/.test(path))
    expect(code(given)).toEqual(code(files))
  })
})

describe.each(exampleNames)('a copy of %s', (from) => {
  const files = plan(answersOf({ from, name: 'my_copy', author: 'Ann' }))

  it('has its code, and is a plugin of its own', () => {
    const code = Object.keys(filesOfExample(from)).filter((path) => path.startsWith('src/'))
    expect(files.map(({ path }) => path)).toEqual(
      expect.arrayContaining([...code, '.gitignore', 'README.md']),
    )
    for (const { content } of files)
      expect(String(content)).not.toMatch(new RegExp(`${from}|workspace:|tsconfig.base|examples/`))
    const manifest: unknown = JSON.parse(textOf(files, 'manifest.json'))
    expect(checkManifest(manifest)).toMatchObject({ valid: true, warnings: [] })
    expect(manifest).toMatchObject({ name: 'my_copy', display_name: 'My Copy', author: 'Ann' })
  })

  it('is formatted as this repository is, and compiles', () => {
    const dir = write(`copied-${from}`, files)
    expect(biomeSays(dir)).toMatchObject({ status: 0 })
    expect(compilerSays(join(dir, 'test'))).toMatchObject({ status: 0 })
  })
})

const long = {
  name: `a_${'long_name_'.repeat(9)}plugin`,
  displayName: 'A long name '.repeat(8),
  description: 'It does a lot. '.repeat(30),
  author: 'Somebody '.repeat(20),
  config: [
    `text:string=${'x'.repeat(60)}`,
    `${'a_name_'.repeat(5)}last:string=${"it's ".repeat(11)}`,
    'big:number=1e21',
    'small:number=-1.5e-7',
    `${'another_name_'.repeat(3)}a:integer=9007199254740991`,
  ],
}

const kinds: [kind: string, given: Given][] = [
  ['short', { config: ['tries:integer=3', 'token:string'] }],
  ['long', long],
  ['hostile', hostile],
  ...[1, 2, 3, 40, 100].map((length): [string, Given] => [
    `${length}`,
    { name: 'x'.repeat(length), config: [`text:string=${'\\'.repeat(Math.min(length, 60))}`] },
  ]),
]

it('is formatted as this repository is, with short, long and hostile answers', () => {
  // One run for all: most of it is the start of Biome.
  let files = 0
  for (const [kind, given] of kinds)
    for (const { contract, engine, language } of matrix) {
      const planned = plan(answersOf({ contract, engine, language, ...given }))
      write(`formatted/${kind}/${contract}-${engine}-${language}`, planned)
      files += planned.filter(({ path }) => /\.(ts|js)$/.test(path)).length
    }
  for (const { contract, engine } of pythonMatrix)
    write(`formatted/python/${contract}-${engine}`, plan(answersOf({ contract, engine, language: 'python' })))
  const { status, stdout, stderr } = biomeSays(join(folder, 'formatted'))
  const [, checked] = /Checked (\d+) files/.exec(`${stdout}${stderr}`) ?? []
  expect(Number(checked)).toBeGreaterThan(files)
  expect(status, stdout + stderr).toBe(0)
})

it.each(['typescript', 'javascript'] as const)('compiles with hostile answers: %s', (language) => {
  // One run for all: most of it is to read the libraries.
  const name = `hostile/${language}`
  const plans = matrix
    .filter((one) => one.language === language)
    .map(({ contract, engine }) => ({ place: `${contract}-${engine}`, contract, engine }))
    .map(({ place, ...given }) => ({ place, files: plan(answersOf({ ...given, language, ...hostile })) }))
  for (const { place, files } of plans) write(`${name}/${place}`, files)
  expect(new Set(plans.map(({ files }) => textOf(files, 'tsconfig.json'))).size).toBe(1)
  const all = {
    extends: `./${plans[0]?.place}/tsconfig.json`,
    compilerOptions: { rootDir: '.' },
    include: plans.flatMap(({ place }) => [`${place}/src`, `${place}/test`]),
  }
  const path = 'tsconfig.json'
  const dir = write(name, [{ path, content: JSON.stringify(all) }])
  const { status, stdout } = compilerSays(dir)
  expect(status, stdout).toBe(0)
})
