// Checks what would be published, packed: metadata, types as each kind of importer finds them, files, sizes and the API.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { apiReports } from './lib/api-report.mjs'
import { pack, published, root } from './lib/pack.mjs'
import { thirdPartyFile } from './lib/third-party.mjs'

/** Largest sizes in KB (1,000 bytes), packed, with the reason. */
const ceilings = {
  // Every plugin downloads it: its code, its types, the contracts as JSON, and, a third of it, the checks of contracts. The checks
  // of what comes from outside, and reading it in turns, took 50; documentation that editors show, 8. The Python half, once as
  // files and once as a wheel, takes 210. Traces that go through plugins take 10.
  sdk: {
    packed: 480,
    files:
      /^(dist\/.*\.(js|d\.ts|json)|dist\/python(\/.*)?(\.py|\.pyi|\/py\.typed|\.whl|\/pyproject\.toml)|dist\/THIRD-PARTY-LICENSES|package\.json|README\.md|LICENSE)$/,
  },
  // Applications download it once; 75 of it are the page of the Plugin Tester, 10 the checks of schemas and answers. A file for each
  // job, with its declarations and comments, took 10; what operators need (settings, metrics, traces, logs), add and remove, the
  // debugger, and documentation that editors show took 60; the command of the gateway 4; plugins in Python
  // (interpreters, requirements, environments) 14. What it bundles takes 135, and is not downloaded as thirty packages.
  // Fallback takes 18, callers over links and sockets 20, replicas and the commands of clusters 22.
  host: {
    packed: 540,
    files:
      /^(dist\/.*\.(js|d\.ts)|dist\/tester\/page\/.*\.(html|css|svg)|dist\/THIRD-PARTY-LICENSES|bin\/.*\.js|package\.json|README\.md|LICENSE)$/,
  },
  // Applications download it once, beside the host. Sound takes 20 of it, without the codecs: 8 for FLAC, WebM, FFmpeg and what is
  // sent in slices. Home Assistant takes 12, REST, MCP and metrics 15, Realtime 25, the Responses API 10,
  // chats that are spoken 5.
  gateway: {
    packed: 156,
    files: /^(dist\/.*\.(js|d\.ts)|package\.json|README\.md|LICENSE)$/,
  },
  // Nothing but the mapping between two forms of the same things, and its declarations.
  'ai-sdk': {
    packed: 20,
    files: /^(dist\/.*\.(js|d\.ts)|package\.json|README\.md|LICENSE)$/,
  },
  // Links, nodes and callers on NATS; its client is a package of its own. What is wanted of a whole cluster takes 22, standing in for a
  // host before clients in any language 5.
  cluster: {
    packed: 100,
    files: /^(dist\/.*\.(js|d\.ts)|package\.json|README\.md|LICENSE)$/,
  },
  // `npm create` downloads it while somebody waits. Plugins over an HTTP API and over a program, each in two languages and of four
  // contracts, with their tests, took 20 (160 unpacked); two examples to copy took 16 (53 unpacked);
  // plugins in Python, over their engines too, 30 (130 unpacked); those that embed, 8 (50 unpacked); tools, images and times of words
  // over an HTTP API, 5 (20 unpacked).
  'create-plugin': {
    packed: 200,
    unpacked: 870,
    files:
      /^(dist\/create\.cjs|dist\/THIRD-PARTY-LICENSES|bin\/create-appfactory-plugin\.cjs|package\.json|README\.md|LICENSE)$/,
  },
}

/** Packages whose code is inside ours, so that their licences must be too. */
const bundled = {
  sdk: ['json-rpc-2.0'],
  host: ['preact', '@preact/signals', 'uplot'],
  gateway: [],
  'create-plugin': ['yargs', '@clack/prompts', 'handlebars'],
}

/** What publint is wrong about, with the reason. */
const muted = {
  // The templates inside the generator's one file have it taken for an ES module.
  'create-plugin': ['FILE_INVALID_EXPLICIT_FORMAT'],
}

const folder = mkdtempSync(join(tmpdir(), 'appfactory-packages-'))
const problems = []
try {
  for (const name of published) await checkPackage(name)
  checkApi()
  checkLowestTypeScript()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
for (const problem of problems) console.error(problem)
process.exitCode = problems.length > 0 ? 1 : 0

async function checkPackage(name) {
  const { filename, files, manifest } = pack(name, folder)
  checkFiles(name, files, manifest)
  checkLicences(name, manifest)
  checkSize(name, filename, files)
  await checkMetadata(name, filename)
  // The generator is a command: there is nothing to import, and so no types.
  if (Object.keys(manifest.bin ?? {}).length === 0 || manifest.exports) checkTypes(name, filename)
}

function checkFiles(name, files, manifest) {
  const { files: allowed } = ceilings[name]
  for (const file of files.filter((path) => !allowed.test(path)))
    problems.push(`${name}: ${file} does not belong into the package`)
  const named = [...Object.values(manifest.exports ?? {}), ...Object.values(manifest.bin ?? {})]
  const targets = named.flatMap((target) => (typeof target === 'string' ? [target] : Object.values(target)))
  const missing = targets
    .map((target) => target.replace(/^\.\//, ''))
    .filter((target) => !target.includes('*') && !files.includes(target))
  for (const target of missing)
    problems.push(`${name}: package.json names ${target}, which is not in the package`)
  for (const file of ['README.md', 'LICENSE'])
    if (!files.includes(file)) problems.push(`${name}: ${file} is missing`)
}

function checkLicences(name, { license, keywords, publishConfig }) {
  const folder = join(root, 'packages', name)
  if (license !== 'MIT' || !keywords?.length || publishConfig?.access !== 'public')
    problems.push(`${name}: package.json lacks its license, keywords or publishConfig`)
  if (readFileSync(join(folder, 'LICENSE'), 'utf8') !== readFileSync(join(root, 'LICENSE'), 'utf8'))
    problems.push(`${name}: LICENSE is not that of the repository`)
  if ((bundled[name] ?? []).length === 0) return
  const told = readFileSync(join(folder, 'dist', thirdPartyFile), 'utf8')
  for (const each of bundled[name])
    if (!told.split('\n').some((line) => line.startsWith(`${each} `) && line.endsWith(')')))
      problems.push(`${name}: ${thirdPartyFile} lacks ${each}, whose code is in the package`)
}

function checkSize(name, filename, files) {
  const kilobytes = (path) => Math.ceil(statSync(path).size / 1000)
  const { packed, unpacked } = ceilings[name]
  const size = kilobytes(filename)
  console.log(`${name}: ${size} KB packed, ${files.length} files`)
  if (size > packed) problems.push(`${name}: ${size} KB packed, more than ${packed}`)
  if (unpacked === undefined) return
  const sum = files
    .filter((file) => file !== 'LICENSE')
    .reduce((total, file) => total + kilobytes(join(root, 'packages', name, file)), 0)
  if (sum > unpacked) problems.push(`${name}: ${sum} KB unpacked, more than ${unpacked}`)
}

async function checkMetadata(name, filename) {
  const bytes = readFileSync(filename)
  const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true })
  for (const message of messages.filter(({ code }) => !muted[name]?.includes(code)))
    problems.push(`${name}: ${formatMessage(message, pkg, { color: false })}`)
}

/** The packages are ES modules only, hence the profile; a CommonJS importer uses require(esm). */
function checkTypes(name, filename) {
  const attw = join(
    dirname(createRequire(import.meta.url).resolve('@arethetypeswrong/cli/package.json')),
    'dist/index.js',
  )
  const args = [attw, filename, '--profile', 'esm-only', '--no-emoji', '--no-color', '--format', 'ascii']
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) problems.push(`${name}: ${stdout}${stderr}`)
}

function checkApi() {
  for (const { path, text } of apiReports()) {
    const file = join(root, path)
    if (existsSync(file) && readFileSync(file, 'utf8').replaceAll('\r\n', '\n') === text) continue
    problems.push(
      `${path} is not the API that is built: run \`pnpm generate\`, look at the difference, and note it with \`pnpm changeset\``,
    )
  }
}

/** An application is to compile with the lowest TypeScript that the documentation names, all declarations checked. */
function checkLowestTypeScript() {
  const folder = join(root, 'packages/host/test/types')
  const tsc = createRequire(join(folder, 'package.json')).resolve('typescript-lowest/lib/tsc.js')
  for (const [module, resolution] of [
    ['NodeNext', 'NodeNext'],
    ['ESNext', 'Bundler'],
  ]) {
    const args = [tsc, '-p', folder, '--module', module, '--moduleResolution', resolution]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    if (status !== 0) problems.push(`the lowest TypeScript, with ${resolution}: ${stdout}${stderr}`)
  }
}
