// Makes a fresh clone ready with nothing but Node and npm: installs what the lockfile names and, with --build, builds.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const stampFile = join(root, 'node_modules', '.installed-lockfile')

installIfNeeded()
if (process.argv.includes('--build')) build()

function installIfNeeded() {
  const lockfileHash = createHash('sha256')
    .update(readFileSync(join(root, 'pnpm-lock.yaml')))
    .digest('hex')
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === lockfileHash) return
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  console.error(`Installing dependencies with ${packageManager}…`)
  run('npx', ['--yes', packageManager, 'install', '--frozen-lockfile', '--reporter=append-only'])
  mkdirSync(join(root, 'node_modules'), { recursive: true })
  writeFileSync(stampFile, lockfileHash)
}

function build() {
  run(process.execPath, [
    join(root, 'node_modules/turbo/bin/turbo'),
    'run',
    'build',
    '--output-logs=errors-only',
  ])
}

function run(command, args) {
  // Only Windows needs a shell: npx is a .cmd file there. No argument comes from outside this file and package.json.
  const shell = process.platform === 'win32' && command === 'npx'
  const path = `${join(root, 'node_modules', '.bin')}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH}`
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell,
    env: { ...process.env, PATH: path, TURBO_TELEMETRY_DISABLED: '1' },
  })
  if (error) console.error(`Could not start ${command}: ${error.message}`)
  if (status !== 0) process.exit(status ?? 1)
}
