// After emit-schemas: puts the Python half into dist/python, as files that the host starts and as a wheel of the same files.
// It needs no Python.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { zip } from './zip.mjs'

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))
const sources = path('../../python/src/')
const contracts = path('../dist/contracts/')
const target = path('../dist/python/')

const { version: released } = JSON.parse(readFileSync(path('../package.json'), 'utf8'))
const version = pythonVersion(released)
const information = `appfactory-${version}.dist-info`

const files = [
  ...filesIn(sources, /\.(py|pyi)$|^py\.typed$|\/py\.typed$/),
  ...filesIn(contracts, /\.json$/).map((file) => ({
    ...file,
    path: `appfactory/contracts_data/${file.path}`,
  })),
]
for (const { path: file, bytes } of files) write(file, bytes)
write(`appfactory-${version}-py3-none-any.whl`, zip(wheelEntries()))
write('wheel_backend.py', readFileSync(path('wheel_backend.py')))
write(
  'pyproject.toml',
  '[build-system]\nrequires = []\nbuild-backend = "wheel_backend"\nbackend-path = ["."]\n',
)

function wheelEntries() {
  const entries = [
    ...files,
    ...Object.entries(informationFiles()).map(([name, text]) => ({
      path: `${information}/${name}`,
      bytes: Buffer.from(text),
    })),
  ]
  const record = `${information}/RECORD`
  const lines = [...entries.map(recordLine), `${record},,`]
  return [...entries, { path: record, bytes: Buffer.from(`${lines.join('\n')}\n`) }]
}

/** What pip reads. The entry point is what makes pytest load the plugin. */
function informationFiles() {
  return {
    METADATA: [
      'Metadata-Version: 2.1',
      'Name: appfactory',
      `Version: ${version}`,
      'Summary: Write App Factory plugins in Python: contracts, types, and a pytest plugin',
      'License: MIT',
      'Requires-Python: >=3.9',
      'Classifier: Typing :: Typed',
      '',
    ].join('\n'),
    WHEEL: 'Wheel-Version: 1.0\nGenerator: appfactory\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    'entry_points.txt': '[pytest11]\nappfactory = appfactory.pytest_plugin\n',
    LICENSE: readFileSync(path('../LICENSE'), 'utf8'),
  }
}

function recordLine({ path: file, bytes }) {
  return `${file},sha256=${createHash('sha256').update(bytes).digest('base64url')},${bytes.length}`
}

/** Files whose path matches, sorted, so that the wheel is the same on each machine. */
function filesIn(folder, pattern) {
  return readdirSync(folder, { recursive: true })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => pattern.test(file))
    .sort()
    .map((file) => ({ path: file, bytes: readFileSync(folder + file) }))
}

function write(file, bytes) {
  mkdirSync(dirname(target + file), { recursive: true })
  writeFileSync(target + file, bytes)
}

/** 1.2.0-beta.3 is 1.2.0b3 to Python (PEP 440). */
function pythonVersion(version) {
  const [, base, kind, number] = /^(\d+\.\d+\.\d+)(?:-(alpha|beta|rc)\.(\d+))?$/.exec(version) ?? []
  if (base === undefined)
    throw new Error(
      `packages/sdk/package.json: version: "${version}" has no form in Python; use X.Y.Z or X.Y.Z-beta.N`,
    )
  return kind === undefined ? base : `${base}${{ alpha: 'a', beta: 'b', rc: 'rc' }[kind]}${number}`
}
