import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { basename, dirname } from 'node:path'
import { pack, published } from './pack.mjs'

/**
 * Packs what is published, and starts a registry on this machine that has it. Whoever wants another package is sent to the
 * registry that npm is set up with.
 */
export async function startRegistry(folder, port = 0) {
  const packages = published.map((name) => read(pack(name, folder).filename))
  const uplink = uplinkUrl()
  const server = createServer(({ url = '/' }, response) => {
    const path = decodeURIComponent(url.slice(1))
    const tarball = packages.find(({ file }) => path === `-/${file}`)
    if (tarball) return response.end(tarball.bytes)
    const found = packages.find(({ manifest }) => path === manifest.name)
    if (!found) return response.writeHead(302, { location: new URL(url.slice(1), uplink).href }).end()
    response.setHeader('content-type', 'application/json')
    return response.end(JSON.stringify(document(found, urlOf(server))))
  })
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  return { url: urlOf(server), close: () => server.close() }
}

/** A tarball, and the package.json in it: packing has replaced `workspace:` there. */
function read(filename) {
  const file = basename(filename)
  const args = ['-xOf', file, 'package/package.json']
  const manifest = JSON.parse(execFileSync('tar', args, { cwd: dirname(filename), encoding: 'utf8' }))
  return { file, manifest, bytes: readFileSync(filename) }
}

function uplinkUrl() {
  const shell = process.platform === 'win32'
  const url = execFileSync('npm', ['config', 'get', 'registry'], {
    shell,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return url.trim().replace(/\/?$/, '/')
}

function urlOf(server) {
  return `http://127.0.0.1:${server.address().port}/`
}

/** What a registry says of a package. */
function document({ file, manifest, bytes }, url) {
  const hash = (algorithm, encoding) => createHash(algorithm).update(bytes).digest(encoding)
  const dist = {
    tarball: `${url}-/${file}`,
    shasum: hash('sha1', 'hex'),
    integrity: `sha512-${hash('sha512', 'base64')}`,
  }
  const { name, version } = manifest
  return { name, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, dist } } }
}
