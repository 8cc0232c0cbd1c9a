import templates from 'virtual:templates'
import { ranges } from 'virtual:versions'
import Handlebars from 'handlebars/runtime'
import type { Answers } from './answers.js'
import { type ConfigOption, configOption, jsonSchema, zodSource } from './config-options.js'
import { contractFacts } from './contracts.js'
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
  const files = [...renderedFiles(answers), ...jsonFiles(answers), ...sampleFiles(answers)]
  return files.sort((one, other) => (one.path < other.path ? -1 : 1))
}

/** What is text: source, README and the like. */
function renderedFiles(answers: Answers): PlannedFile[] {
  const folder = `${answers.contract}/${answers.language}/`
  const context = contextOf(answers)
  return Object.entries(templates)
    .filter(([path]) => path.startsWith(folder) || path.startsWith('shared/'))
    .map(([path, template]) => ({
      path: path
        .replace('shared/', '')
        .replace(folder, '')
        .replace('gitignore', '.gitignore')
        .replace('ci.yml', '.github/workflows/ci.yml'),
      content: Handlebars.template<unknown>(template)(context, { helpers: { markdown: markdownText } }),
    }))
}

/** Strings for Handlebars. Only what can't hurt anywhere is printed without a helper: names, and what this code wrote. */
function contextOf(answers: Answers) {
  const facts = contractFacts[answers.contract]
  const own = ownOptions(answers)
  return {
    ...answers,
    ...facts,
    typescript: answers.language === 'typescript',
    extension: answers.language === 'typescript' ? 'ts' : 'js',
    className: classNameOf(answers.name),
    classHead: classHead(answers.name),
    output: facts.output,
    commands: commandsOf(answers.packageManager),
    optionSources: [...facts.options.map(({ name, source }) => `${name}: ${source}`), ...own.map(zodSource)],
  }
}

/** How the class of a plugin with a contract of its own begins. */
function classHead(name: string): string {
  const parts = [
    `export default class ${classNameOf(name)}`,
    'extends EmbeddingContract<Config>',
    'implements ImplementationOf<EmbeddingMethods>',
  ]
  return fitting(0, `${parts.join(' ')} {`, `${parts.join('\n  ')}\n{`)
}

function ownOptions({ config }: Answers): ConfigOption[] {
  return config.flatMap((text) => configOption(text).option ?? [])
}

/** What is JSON is made as data, so that no answer can break it. */
function jsonFiles(answers: Answers): PlannedFile[] {
  const files = [
    { path: 'manifest.json', content: formatJson(manifestOf(answers)) },
    { path: 'package.json', content: formatJson(packageOf(answers), { expandArrays: true }) },
    { path: 'tsconfig.json', content: formatJson(tsconfigOf(answers)) },
  ]
  if (answers.language === 'javascript') return files
  const test = {
    extends: '../tsconfig.json',
    compilerOptions: { rootDir: '..', noEmit: true },
    include: ['.'],
  }
  return [...files, { path: 'test/tsconfig.json', content: formatJson(test) }]
}

function manifestOf(answers: Answers): Json {
  const { name, language, displayName, description, author, contract } = answers
  const facts = contractFacts[contract]
  return {
    $schema: './node_modules/@appfactory/sdk/manifest.schema.json',
    name,
    version: '0.1.0',
    contract: facts.contract,
    entry_point: language === 'typescript' ? 'dist/index.js' : 'src/index.js',
    ...withoutEmpty({ display_name: displayName, description, author }),
    dependencies: [`zod@${ranges['zod']}`],
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

function packageOf({ name, language, description, author }: Answers): Json {
  const typescript = language === 'typescript'
  const lint = 'appfactory-host validate . && appfactory-host manifest . --check'
  return {
    name,
    version: '0.1.0',
    // Until its author decides otherwise.
    private: true,
    ...withoutEmpty({ description, author }),
    type: 'module',
    exports: typescript
      ? { '.': { types: './dist/index.d.ts', default: './dist/index.js' } }
      : './src/index.js',
    scripts: {
      ...(typescript ? { build: 'tsc' } : {}),
      lint: typescript ? `tsc && ${lint}` : lint,
      test: typescript ? 'tsc && vitest run' : 'vitest run',
      typecheck: typescript ? 'tsc -p test' : 'tsc',
    },
    dependencies: rangesOf('@appfactory/sdk', 'zod'),
    devDependencies: rangesOf('@appfactory/host', '@types/node', 'typescript', 'vitest'),
    engines: { node: '^20.19.0 || ^22.12.0 || >=24.0.0' },
  }
}

function tsconfigOf({ language }: Answers): Json {
  const shared = {
    target: 'ES2022',
    lib: ['ES2023', 'ESNext.Disposable'],
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

function rangesOf(...names: string[]): Json {
  return Object.fromEntries(names.map((name) => [name, ranges[name] ?? '*']))
}

function withoutEmpty(texts: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== ''))
}
