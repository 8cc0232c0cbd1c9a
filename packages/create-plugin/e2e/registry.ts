import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const pnpm = join(dirname(createRequire(import.meta.url).resolve('pnpm')), 'bin/pnpm.cjs')

interface Packed {
  name: string
  version: string
  /** As package.json in the tarball. */
  manifest: Record<string, unknown>
  file: string
  bytes: Buffer
}

/** Packs packages of this repository, as they would be published, into `folder`. */
export async function pack(folder: string): Promise<Packed[]> {
  mkdirSync(folder, { recursive: true })
  for (const name of ['sdk', 'host', 'create-plugin']) {
    const cwd = fileURLToPath(new URL(`../../${name}`, import.meta.url))
    await run(process.execPath, [pnpm, 'pack', '--pack-destination', folder], { cwd })
  }
  return Promise.all(readdirSync(folder).map((file) => read(folder, file)))
}

async function read(folder: string, file: string): Promise<Packed> {
  // The name alone: tar would take the colon of a Windows path for that of a host.
  const { stdout } = await run('tar', ['-xOf', file, 'package/package.json'], { cwd: folder })
  const manifest: { name: string; version: string } = JSON.parse(stdout)
  const { name, version } = manifest
  return { name, version, manifest: { ...manifest }, file, bytes: readFileSync(join(folder, file)) }
}

/**
 * A registry on this machine that has these packages, and sends whoever wants another one to the registry that npm is set up
 * with.
 */
export async function startRegistry(packages: readonly Packed[]): Promise<{ url: string; server: Server }> {
  const uplink = await uplinkUrl()
  const server = createServer(({ url = '/' }, response) => {
    const path = decodeURIComponent(url.slice(1))
    const tarball = packages.find(({ file }) => path === `-/${file}`)
    if (tarball) return void response.end(tarball.bytes)
    const found = packages.find(({ name }) => path === name)
    if (!found) return void response.writeHead(302, { location: new URL(url.slice(1), uplink).href }).end()
    response.setHeader('content-type', 'application/json')
    return void response.end(JSON.stringify(document(found, registryUrl(server))))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: registryUrl(server), server }
}

async function uplinkUrl(): Promise<string> {
  const shell = process.platform === 'win32'
  const { stdout } = await run('npm', ['config', 'get', 'registry'], { shell })
  return stdout.trim().replace(/\/?$/, '/')
}

function registryUrl(server: Server): string {
  const address: AddressInfo | string | null = server.address()
  return typeof address === 'object' && address ? `http://127.0.0.1:${address.port}/` : ''
}

/** What a registry says of a package. */
function document({ name, version, manifest, file, bytes }: Packed, url: string) {
  const hash = (algorithm: string, encoding: 'hex' | 'base64'): string =>
    createHash(algorithm).update(bytes).digest(encoding)
  const dist = {
    tarball: `${url}-/${file}`,
    shasum: hash('sha1', 'hex'),
    integrity: `sha512-${hash('sha512', 'base64')}`,
  }
  return { name, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } } }
}
