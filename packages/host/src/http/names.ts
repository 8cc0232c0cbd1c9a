import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { isIP } from 'node:net'

/** The Host header of a request; undefined where there are none or several: parsers disagree on which of several counts. */
export function soleHostOf({ headers, rawHeaders }: IncomingMessage): string | undefined {
  // Names and values in turns. `headersDistinct` would tell it too, but makes lists of all headers for that.
  const names = rawHeaders.filter((text, index) => index % 2 === 0 && text.length === 4)
  return names.filter((name) => name.toLowerCase() === 'host').length === 1 ? headers.host : undefined
}

/** The name in a Host header or an authority: without its port, without the brackets of an IPv6 address, in lower case. */
export function nameOfHost(host: string): string {
  return host
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
}

/** Whether an address is of the loopback interface. */
export function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address)
}

/** Whether a Host header names this machine itself, with any port: there may be a tunnel. */
export function isLocalName(host: string): boolean {
  const name = nameOfHost(host)
  return name === 'localhost' || (isIP(name) !== 0 && isLoopback(name))
}

/** Sec-Fetch-Site of requests by a page of the same origin, or by the user. */
const ownSites = new Set(['same-origin', 'none'])

/** Whether the browser marks the request as another site's. */
export function isFromElsewhere({ 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  return site !== undefined && !ownSites.has(String(site))
}
