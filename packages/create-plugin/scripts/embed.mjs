// A plugin for Rolldown and Vite: puts the templates, precompiled, and the versions of this release into the code, so that
// the command is one file that reads nothing.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import Handlebars from 'handlebars'

const root = new URL('../../../', import.meta.url)
const modules = {
  'virtual:templates': templatesModule,
  'virtual:examples': examplesModule,
  'virtual:versions': versionsModule,
}

/** Examples that can be copied. The others bring a model along, or are tested with each other. */
const examples = ['tts_flite', 'tts_tone']

export function embed() {
  return {
    name: 'embed',
    resolveId: (id) => (Object.hasOwn(modules, id) ? `\0${id}` : undefined),
    load: (id) => (id.startsWith('\0virtual:') ? modules[id.slice(1)]?.() : undefined),
  }
}

function templatesModule() {
  const folder = fileURLToPath(new URL('templates/', root))
  const files = readdirSync(folder, { recursive: true }).filter((file) => file.endsWith('.hbs'))
  const entries = files.sort().map((file) => {
    const source = readFileSync(`${folder}/${file}`, 'utf8')
    const options = {
      strict: true,
      knownHelpers: { markdown: true },
      knownHelpersOnly: true,
      srcName: undefined,
    }
    const name = file.replaceAll('\\', '/').replace(/\.hbs$/, '')
    return `${JSON.stringify(name)}: ${Handlebars.precompile(source, options)}`
  })
  return `export default {${entries.join(',\n')}}`
}

function examplesModule() {
  const entries = examples.map((name) => {
    const folder = fileURLToPath(new URL(`examples/plugins/${name}/`, root))
    const paths = ['src', 'test'].flatMap((part) =>
      readdirSync(`${folder}${part}`).map((file) => `${part}/${file}`),
    )
    const files = ['README.md', 'manifest.json', 'package.json', 'tsconfig.json', ...paths.sort()]
    return [name, Object.fromEntries(files.map((file) => [file, readFileSync(folder + file, 'utf8')]))]
  })
  return `export default ${JSON.stringify(Object.fromEntries(entries))}`
}

function versionsModule() {
  const read = (path) => JSON.parse(readFileSync(new URL(path, root), 'utf8'))
  const { devDependencies } = read('package.json')
  const sdk = read('packages/sdk/package.json')
  const host = read('packages/host/package.json')
  const ranges = {
    '@appfactory/sdk': `^${sdk.version}`,
    '@appfactory/host': `^${host.version}`,
    zod: sdk.dependencies.zod,
    ...pick(devDependencies, ['@types/node', 'typescript', 'vitest']),
  }
  const { version } = read('packages/create-plugin/package.json')
  return `export const version = ${JSON.stringify(version)}\nexport const ranges = ${JSON.stringify(ranges)}`
}

function pick(object, keys) {
  return Object.fromEntries(keys.map((key) => [key, object[key]]))
}
