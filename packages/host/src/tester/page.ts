import { readdirSync, readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { extname } from 'node:path'

/** One file of the page. */
interface Asset {
  type: string
  body: Buffer
}

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

const contentPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  'media-src blob:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

export const safeHeaders = {
  'content-security-policy': contentPolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'microphone=(self), camera=(), geolocation=()',
  'cache-control': 'no-store',
}

/** The page's files by URL path. Other paths are not served, which prevents path traversal. */
export function readPage(): ReadonlyMap<string, Asset> {
  const root = new URL('../../dist/tester/page/', import.meta.url)
  const assets = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }): [string, Asset] => {
      const body = readFileSync(`${parentPath}/${name}`)
      const folder = parentPath.replaceAll('\\', '/').endsWith('/assets') ? '/assets/' : '/'
      return [`${folder}${name}`, { type: types[extname(name)] ?? 'application/octet-stream', body }]
    })
  const pages = new Map(assets)
  const index = pages.get('/index.html')
  if (index) pages.set('/', index)
  return pages
}

export function sendAsset(response: ServerResponse, { type, body }: Asset): void {
  response.writeHead(200, { 'content-type': type, 'content-length': body.length }).end(body)
}

/** A page of one sentence. */
export function sendNotice(response: ServerResponse, status: number, notice: string): void {
  const body = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Plugin Tester</title><p>${notice}</p></html>\n`
  // Don't wait for the rest of a refused request.
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', connection: 'close' }).end(body)
}
