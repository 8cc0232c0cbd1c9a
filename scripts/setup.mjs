// Makes a fresh clone ready with nothing but Node and npm: installs what the lockfile names, builds with --build, and with --check
// looks at the style and the types of all code. A step reports its time in a line; its own output is shown if it fails.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = join(root, 'node_modules', '.bin')
const stampFile = join(root, 'node_modules', '.installed-lockfile')
const turbo = [process.execPath, join(root, 'node_modules/turbo/bin/turbo'), 'run']
const biome = [process.execPath, join(root, 'node_modules/@biomejs/biome/bin/biome')]

await installIfNeeded()
if (process.argv.includes('--build'))
  await step('Building the packages', ...turbo, 'build', '--output-logs=errors-only')
if (process.argv.includes('--check')) {
  await step('Checking the style', ...biome, 'check', '.')
  await step('Checking the types', ...turbo, 'typecheck', '--output-logs=errors-only')
}

async function installIfNeeded() {
  const lockfileHash = createHash('sha256')
    .update(readFileSync(join(root, 'pnpm-lock.yaml')))
    .digest('hex')
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === lockfileHash) return
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const install = ['--yes', packageManager, 'install', '--frozen-lockfile', '--reporter=append-only']
  await step('Installing the packages', 'npx', ...install)
  mkdirSync(join(root, 'node_modules'), { recursive: true })
  writeFileSync(stampFile, lockfileHash)
}

/** Runs a command to its end. The process exits with its status where it fails. */
async function step(title, command, ...args) {
  const started = performance.now()
  const elapsed = () => (performance.now() - started) / 1000
  process.stderr.write(`${title}… `)
  const tick = () => process.stderr.write(`\r${title}… ${Math.round(elapsed())} s`)
  const ticking = process.stderr.isTTY ? setInterval(tick, 1000) : undefined
  const { status, output } = await run(command, args)
  clearInterval(ticking)
  if (ticking) process.stderr.write(`\r${title}… `)
  const seconds = `${elapsed().toFixed(1)} s`
  process.stderr.write(status === 0 ? `${seconds}\n` : `failed after ${seconds}\n\n${output}\n`)
  if (status !== 0) process.exit(status)
}

function run(command, args) {
  const child = spawn(command, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Only Windows needs a shell: npx is a .cmd file there. No argument comes from outside this file and package.json.
    shell: process.platform === 'win32' && command === 'npx',
    env: {
      ...process.env,
      PATH: `${bin}${delimiter}${process.env.PATH}`,
      TURBO_TELEMETRY_DISABLED: '1',
      TURBO_NO_UPDATE_NOTIFIER: '1',
    },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  return new Promise((resolve) => {
    child.on('error', (error) =>
      resolve({ status: 1, output: `Could not start ${command}: ${error.message}` }),
    )
    child.on('close', (status) => resolve({ status: status ?? 1, output }))
  })
}
