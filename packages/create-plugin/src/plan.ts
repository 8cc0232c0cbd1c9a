import templates from 'virtual:templates'
import { ranges } from 'virtual:versions'
import Handlebars from 'handlebars/runtime'
import type { Answers } from './answers.js'
import { type ConfigOption, configOption, jsonSchema, zodSource } from './config-options.js'
import { factsOf } from './contracts.js'
import { filesOfExample, jsonOfExample } from './examples.js'
import { formatJson, type Json } from './json.js'
import { classNameOf } from './names.js'
import { commandsOf } from './package-managers.js'
import { morseSample } from './sample.js'
import { fitting, markdownText } from './text.js'

/** One file to write. */
export interface PlannedFile {
  /** Inside the plugin's folder, with `/`. */
  path: string
  content: string | Uint8Array
}

/** The files of a plugin. Pure: the same answers make the same files. */
export function plan(answers: Answers): PlannedFile[] {
  const files =
    answers.from === ''
      ? [...renderedFiles(answers), ...jsonFiles(answers), ...sampleFiles(answers)]
      : [...sharedFiles(answers), ...copiedFiles(answers)]
  return files.sort((one, other) => (one.path < other.path ? -1 : 1))
}

/** What is text: source, README and the like. */
function renderedFiles(answers: Answers): PlannedFile[] {
  return rendered(answers, foldersOf(answers))
}

/** What every plugin has, except README.md, which is that of the example. */
function sharedFiles(answers: Answers): PlannedFile[] {
  return rendered(answers, ['shared/']).filter(({ path }) => path !== 'README.md')
}

/** The files of an example under its new name, without what ties it to this repository. */
function copiedFiles(answers: Answers): PlannedFile[] {
  const { from, name } = answers
  const texts = Object.entries(filesOfExample(from)).filter(([path]) => !path.endsWith('.json'))
  return [
    ...texts.map(([path, text]) => ({ path, content: renamed(text, from, name) })),
    ...jsonFiles(answers),
  ]
}

function renamed(text: string, from: string, name: string): string {
  return text.replaceAll('examples/plugins', '..').replaceAll(from, name)
}

function rendered(answers: Answers, folders: readonly string[]): PlannedFile[] {
  const context = contextOf(answers)
  return Object.entries(templates).flatMap(([path, template]) => {
    const folder = folders.find((each) => path.startsWith(each))
    if (folder === undefined) return []
    return {
      path: path
        .slice(folder.length)
        .replace('gitignore', '.gitignore')
        .replace('ci.yml', '.github/workflows/ci.yml')
        .replace('launch.json', '.vscode/launch.json')
        .replace('settings.json', '.vscode/settings.json'),
      content: Handlebars.template<unknown>(template)(context, { helpers: { markdown: markdownText } }),
    }
  })
}

/** The folders of templates/ that make up a plugin. */
function foldersOf({ contract, engine, language }: Answers): string[] {
  const { shares, contractFile } = factsOf(contract, engine)
  const kinds = [...(shares === undefined ? [] : [shares]), contract]
  if (language === 'python') return ['python/shared/', ...pythonFolders(kinds, engine)]
  const ofEngine = ['shared', ...kinds].flatMap((kind) => [
    `${engine}/${kind}/shared/`,
    `${engine}/${kind}/${language}/`,
  ])
  return ['shared/', ...(contractFile ? [`contract/${language}/`] : []), ...ofEngine]
}

function pythonFolders(kinds: readonly string[], engine: Answers['engine']): string[] {
  if (engine === 'sample') return kinds.map((kind) => `python/${kind}/`)
  return ['shared', ...kinds].map((kind) => `${engine}/${kind}/python/`)
}

/** Strings for Handlebars. Only what can't hurt anywhere is printed without a helper: names, and what this code wrote. */
function contextOf(answers: Answers) {
  const facts = factsOf(answers.contract, answers.engine)
  const own = ownOptions(answers)
  return {
    ...answers,
    ...facts,
    typescript: answers.language === 'typescript',
    sample: answers.engine === 'sample',
    http: answers.engine === 'http',
    command: answers.engine === 'command',
    file: (answers.language === 'python' && facts.pythonFile) || facts.file,
    otherFiles: facts.otherFiles ?? [],
    extension: answers.language === 'typescript' ? 'ts' : 'js',
    stt: answers.contract === 'stt',
    vectors: facts.shares === 'vectors',
    className: classNameOf(answers.name),
    classHead: classHead(answers.name),
    output: facts.output,
    commands: commandsOf(answers.packageManager),
    optionSources: [...facts.options.map(({ source }) => source), ...own.map(zodSource)],
  }
}

/** How the class of a plugin with a contract of its own begins. */
function classHead(name: string): string {
  const parts = [
    `export default class ${classNameOf(name)}`,
    'extends VectorsContract<Config>',
    'implements ImplementationOf<VectorsMethods>',
  ]
  return fitting(0, `${parts.join(' ')} {`, `${parts.join('\n  ')}\n{`)
}

function ownOptions({ config }: Answers): ConfigOption[] {
  return config.flatMap((text) => configOption(text).option ?? [])
}

/** What is JSON is made as data, so that no answer can break it. */
function jsonFiles(answers: Answers): PlannedFile[] {
  const { language } = answers
  const manifest = { path: 'manifest.json', content: formatJson(manifestOf(answers)) }
  const packageJson = language === 'python' ? pythonPackageOf(answers) : packageOf(answers)
  const files = [
    manifest,
    { path: 'package.json', content: formatJson(packageJson, { expandArrays: true }) },
    ...(language === 'python' ? [] : [{ path: 'tsconfig.json', content: formatJson(tsconfigOf(answers)) }]),
  ]
  if (language !== 'typescript') return files
  const test = {
    extends: '../tsconfig.json',
    compilerOptions: { rootDir: '..', noEmit: true },
    include: ['.'],
  }
  return [...files, { path: 'test/tsconfig.json', content: formatJson(test) }]
}

function manifestOf(answers: Answers): Json {
  return answers.from === '' ? newManifest(answers) : copiedManifest(answers)
}

function copiedManifest({ from, name, displayName, description, author }: Answers): Json {
  const { author: _author, ...manifest } = jsonOfExample(from, 'manifest.json')
  const own = { name, version: '0.1.0', display_name: displayName }
  return { ...manifest, ...own, ...withoutEmpty({ description, author }) }
}

const entryPoints = { typescript: 'dist/index.js', javascript: 'src/index.js', python: 'main' }

function newManifest(answers: Answers): Json {
  const { name, language, displayName, description, author, contract, engine } = answers
  const facts = factsOf(contract, engine)
  return {
    $schema: './node_modules/@appfactory/sdk/manifest.schema.json',
    name,
    version: '0.1.0',
    contract: facts.contract,
    entry_point: entryPoints[language],
    ...withoutEmpty({ display_name: displayName, description, author }),
    dependencies: language === 'python' ? [] : [`zod@${ranges['zod']}`],
    config_schema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: Object.fromEntries([
        ...facts.options.map(({ name: option, schema }) => [option, schema]),
        ...ownOptions(answers).map((option) => [option.name, jsonSchema(option)]),
      ]),
      additionalProperties: false,
    },
    capabilities: [...facts.capabilities],
    tags: [...facts.tags],
  }
}

/** Of a Python plugin: how its author gets the host and the SDK, and how others get the plugin. */
function pythonPackageOf({ name, description, author, contract }: Answers): Json {
  return {
    name,
    version: '0.1.0',
    // Until its author decides otherwise.
    private: true,
    ...withoutEmpty({ description, author }),
    keywords: keywordsOf(contract),
    files: ['*.py', 'manifest.json', 'requirements.txt', ...(contract === 'stt' ? ['samples'] : [])],
    scripts: {
      dev: 'appfactory-host dev .',
      lint: 'appfactory-host validate .',
      test: 'node scripts/python.mjs -m pytest',
      tester: 'appfactory-host tester --plugins-dir .. --open',
      typecheck: 'node scripts/python.mjs -m mypy',
    },
    devDependencies: rangesOf('@appfactory/host', '@appfactory/sdk'),
    engines: { node: '^20.19.0 || ^22.12.0 || >=24.0.0' },
  }
}

/** Searches of the registry, and hosts that look for plugins among packages, find it by the first. */
function keywordsOf(contract: Answers['contract']): string[] {
  return ['appfactory-plugin', contract === 'custom' ? 'vectors' : contract]
}

function packageOf(answers: Answers): Json {
  const { name, from, language, description, author, contract } = answers
  const typescript = language === 'typescript'
  // An example has its schema in the manifest only.
  const lint = `appfactory-host validate .${from === '' ? ' && appfactory-host manifest . --check' : ''}`
  return {
    name,
    version: '0.1.0',
    // Until its author decides otherwise.
    private: true,
    ...withoutEmpty({ description, author }),
    keywords: keywordsOf(contract),
    type: 'module',
    // Git ignores dist/, and npm would as well.
    files: [typescript ? 'dist' : 'src', 'manifest.json'],
    exports: typescript
      ? { '.': { types: './dist/index.d.ts', default: './dist/index.js' } }
      : './src/index.js',
    scripts: {
      ...(typescript ? { build: 'tsc' } : {}),
      dev: 'appfactory-host dev .',
      lint: typescript ? `tsc && ${lint}` : lint,
      ...(typescript ? { prepack: 'tsc' } : {}),
      test: typescript ? 'tsc && vitest run' : 'vitest run',
      tester: 'appfactory-host tester --plugins-dir .. --open',
      typecheck: typescript ? 'tsc -p test' : 'tsc',
    },
    dependencies: {
      ...jsonOfExample(from, 'package.json').dependencies,
      ...rangesOf('@appfactory/sdk', ...(from === '' ? ['zod'] : [])),
    },
    devDependencies: rangesOf('@appfactory/host', '@types/node', 'typescript', 'vitest'),
    engines: { node: '^20.19.0 || ^22.12.0 || >=24.0.0' },
  }
}

function tsconfigOf({ from, language }: Answers): Json {
  const { lib } = jsonOfExample(from, 'tsconfig.json').compilerOptions ?? {}
  const shared = {
    target: 'ES2022',
    lib: lib ?? ['ES2023', 'ESNext.Disposable'],
    types: ['node'],
    module: 'NodeNext',
    strict: true,
    noUncheckedIndexedAccess: true,
    noImplicitOverride: true,
    skipLibCheck: true,
  }
  return language === 'typescript'
    ? {
        compilerOptions: {
          ...shared,
          verbatimModuleSyntax: true,
          declaration: true,
          rootDir: 'src',
          outDir: 'dist',
        },
        include: ['src'],
      }
    : {
        compilerOptions: { ...shared, allowJs: true, checkJs: true, noEmit: true },
        include: ['src', 'test'],
      }
}

/** Something to listen to. */
function sampleFiles({ contract }: Answers): PlannedFile[] {
  return contract === 'stt' ? [{ path: 'samples/sos.wav', content: morseSample() }] : []
}

function rangesOf(...names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, ranges[name] ?? '*']))
}

function withoutEmpty(texts: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ''))
}
