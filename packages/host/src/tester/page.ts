import { createHash } from 'node:crypto'
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

/** Of a notice, which may load nothing. */
const noticeStyle = `:root { color-scheme: light dark }
body { margin: 15vh auto; max-width: 34rem; padding: 0 1.5rem; font: 16px/1.5 system-ui, sans-serif }
h1 { font-size: 1.25rem }`

/** The policy for pages, with the one style of a notice. */
const noticePolicy = contentPolicy.replace(
  "style-src 'self'",
  `style-src 'self' 'sha256-${createHash('sha256').update(noticeStyle).digest('base64')}'`,
)

/** A page of a few sentences, the first of which is its heading. It is HTML: nothing of a request may be in it. */
export function sendNotice(
  response: ServerResponse,
  status: number,
  [heading, ...rest]: readonly string[],
): void {
  const paragraphs = rest.map((text) => `<p>${text}</p>`).join('')
  const body = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Plugin Tester</title><style>${noticeStyle}</style><main><h1>${heading}</h1>${paragraphs}</main></html>\n`
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': noticePolicy,
    // Don't wait for the rest of a refused request.
    connection: 'close',
  }
  response.writeHead(status, headers).end(body)
}
