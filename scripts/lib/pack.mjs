import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Folders of the packages that are published. */
export const published = ['sdk', 'host', 'gateway', 'ai-sdk', 'cluster', 'create-plugin']

const pnpm = join(dirname(createRequire(import.meta.url).resolve('pnpm')), 'bin/pnpm.cjs')

/** Packs a package as it would be published. */
export function pack(folder, destination) {
  mkdirSync(destination, { recursive: true })
  const cwd = join(root, 'packages', folder)
  const out = execFileSync(process.execPath, [pnpm, 'pack', '--json', '--pack-destination', destination], {
    cwd,
    encoding: 'utf8',
  })
  const { filename } = JSON.parse(out)
  // By its name alone: tar would take the colon of a Windows path for that of a host.
  const listed = execFileSync('tar', ['-tzf', basename(filename)], { cwd: destination, encoding: 'utf8' })
  const files = listed.split('\n').filter((path) => path !== '')
  return {
    filename,
    files: files.map((path) => path.replace('package/', '')),
    manifest: JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8')),
  }
}
