// Measures `npm create appfactory-plugin`: the scaffold beside create-vite, the first run of a new plugin's tests, and the whole
// way from the first keystroke to green tests with a warm npm cache. The packages are this clone's, packed. Prints JSON.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startRegistry } from '../scripts/lib/registry.mjs'
import { median } from '../scripts/lib/statistics.mjs'

const bundle = fileURLToPath(new URL('../packages/create-plugin/dist/create.cjs', import.meta.url))
const scaffolds = 15
const journeys = 3

const folder = mkdtempSync(join(tmpdir(), 'appfactory-'))
const registry = await startRegistry(join(folder, 'packed'))
try {
  const peer = await installPeer()
  const [ours, theirs] = await measureScaffolds(peer)
  // The first one fills the cache.
  await travel('warm-up')
  const ways = []
  for (let round = 0; round < journeys; round++) ways.push(await travel(`way-${round}`))
  const report = {
    scaffold_ms: { appfactory: ours, 'create-vite': theirs, ratio: Math.round((ours / theirs) * 100) / 100 },
    'create-vite': peer.version,
    bundle_kb: Math.round(statSync(bundle).size / 1000),
    warm_cache_ms: Object.fromEntries(
      ['create', 'install', 'first_test', 'all'].map((step) => [
        step,
        Math.round(median(ways.map((way) => way[step]))),
      ]),
    ),
  }
  console.log(JSON.stringify(report, null, 2))
} finally {
  registry.close()
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}

/** create-vite as npm has it now. */
async function installPeer() {
  const dir = made('peer')
  await run('npm', ['install', '--no-save', 'create-vite'], dir)
  const peer = join(dir, 'node_modules/create-vite')
  const { bin, version } = JSON.parse(readFileSync(join(peer, 'package.json'), 'utf8'))
  return { command: join(peer, bin['create-vite']), version }
}

/** Medians in ms, both with all answers given, as processes of Node; in turns, so that a busy moment hits both. */
async function measureScaffolds(peer) {
  const [ours, theirs] = [made('ours'), made('theirs')]
  const times = { ours: [], theirs: [] }
  for (let round = 0; round < scaffolds; round++) {
    const args = [bundle, `plugin_${round}`, '--contract', 'tts', '--yes']
    times.ours.push(await timed(() => run(process.execPath, args, ours)))
    const vite = [peer.command, `app-${round}`, '--template', 'vanilla-ts', '--no-interactive']
    times.theirs.push(await timed(() => run(process.execPath, vite, theirs)))
    statSync(join(ours, `plugin_${round}/manifest.json`))
    statSync(join(theirs, `app-${round}/package.json`))
  }
  return [Math.round(median(times.ours)), Math.round(median(times.theirs))]
}

/** From nothing to green tests, as one types it; ms of each step. */
async function travel(name) {
  const dir = made(name)
  const plugin = join(dir, 'my_tts_plugin')
  const flags = ['my_tts_plugin', '--', '--contract', 'tts', '--yes']
  const create = await timed(() => run('npm', ['create', 'appfactory-plugin@latest', ...flags], dir))
  const install = await timed(() => run('npm', ['install'], plugin))
  const firstTest = await timed(() => run('npm', ['test'], plugin))
  return { create, install, first_test: firstTest, all: create + install + firstTest }
}

function run(file, args, cwd) {
  const env = {
    ...Object.fromEntries(Object.entries(process.env).filter(isOwn)),
    npm_config_registry: registry.url,
    npm_config_cache: join(folder, 'cache'),
    npm_config_yes: 'true',
    npm_config_update_notifier: 'false',
    NO_COLOR: '1',
  }
  // npm may need NODE_EXTRA_CA_CERTS, which would double the time that a bare Node takes to start.
  if (file === process.execPath) delete env.NODE_EXTRA_CA_CERTS
  const shell = process.platform === 'win32' && file === 'npm'
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd, env, shell, stdio: ['ignore', 'pipe', 'pipe'] })
    const said = []
    child.stdout.on('data', (data) => said.push(data))
    child.stderr.on('data', (data) => said.push(data))
    child.once('error', reject)
    child.once('close', (status) => {
      if (status === 0) resolve()
      else reject(new Error(`${file} ${args.join(' ')} failed (${status}):\n${Buffer.concat(said)}`))
    })
  })
}

/** Not what an npm that runs this one says to it. */
function isOwn([key]) {
  return !/^npm_(package|lifecycle|command|config_(package|call))/i.test(key)
}

async function timed(work) {
  const begun = performance.now()
  await work()
  return performance.now() - begun
}

function made(name) {
  const dir = join(folder, name)
  mkdirSync(dir)
  return dir
}
