import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

/** The reason why a request is refused. */
export interface Refusal {
  status: 401 | 403
  /** A heading, and what to do. */
  reason: readonly string[]
}

/** Lifetime of an unused token, in ms. */
const tokenLifeMs = 60 * 60 * 1000

const howToOpen = [
  'This browser has not been let in',
  'Open the URL that <code>appfactory-host tester</code> has printed. It works once, in one browser, within an hour.',
  'If it has been used, press Enter in that terminal: it prints another one.',
]

/** Sec-Fetch-Site of requests by our own page or by the user. */
const ownSites = new Set(['same-origin', 'none'])

/**
 * Access control: only a page of our own origin, in a browser that has exchanged a token for a cookie, may use the tester. Only
 * the headers of a request are checked.
 */
export class Gate {
  readonly #host: string
  readonly #cookieName: string
  /** Each with its expiry time. */
  #tokens: { digest: Buffer; until: number }[] = []
  readonly #sessions: Buffer[] = []

  constructor(port: number) {
    this.#host = `127.0.0.1:${port}`
    // Cookies ignore ports: two testers must not overwrite each other's.
    this.#cookieName = `appfactory_tester_${port}`
  }

  get origin(): string {
    return `http://${this.#host}`
  }

  /** Creates a token that is valid once, within an hour. */
  issueToken(): string {
    const { secret, digest } = makeSecret()
    this.#tokens.push({ digest, until: performance.now() + tokenLifeMs })
    return secret
  }

  /** Refuses a request from another origin. @param isVisit The user may have followed a link. */
  refuseForeign(
    { headers, headersDistinct, method }: IncomingMessage,
    isVisit: boolean,
  ): Refusal | undefined {
    // Parsers disagree on which of several names counts.
    if (headers.host !== this.#host || headersDistinct.host?.length !== 1)
      return { status: 403, reason: [`This is ${this.#host}`] }
    const isChange = method !== 'GET' && method !== 'HEAD'
    const isOwn = headers.origin === this.origin || (headers.origin === undefined && !isChange)
    if (!isOwn || (isElsewhere(headers) && !(isVisit && isNavigation(headers))))
      return { status: 403, reason: ['Only the page of this tester may ask for that'] }
    return undefined
  }

  /** Refuses a request of an unknown browser. */
  refuseStranger({ headers }: IncomingMessage): Refusal | undefined {
    if (takes(this.#sessions, this.#cookieOf(headers))) return undefined
    return { status: 401, reason: howToOpen }
  }

  /** Exchanges a token for a cookie; undefined if it is invalid or expired. */
  exchange(token: string): string | undefined {
    this.#tokens = this.#tokens.filter(({ until }) => performance.now() < until)
    const index = this.#tokens.findIndex((known) => timingSafeEqual(known.digest, digestOf(token)))
    if (index < 0) return undefined
    this.#tokens.splice(index, 1)
    const { secret, digest } = makeSecret()
    this.#sessions.push(digest)
    return `${this.#cookieName}=${secret}; HttpOnly; SameSite=Strict; Path=/`
  }

  #cookieOf({ cookie = '' }: IncomingHttpHeaders): string {
    const pair = cookie.split(/; */).find((each) => each.startsWith(`${this.#cookieName}=`))
    return pair?.slice(this.#cookieName.length + 1) ?? ''
  }
}

/** Whether the browser marks the request as another site's. */
function isElsewhere({ 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  return site !== undefined && !ownSites.has(String(site))
}

/** Whether the user navigates there, rather than a page that loads a frame, an image or data. */
function isNavigation({ 'sec-fetch-dest': destination }: IncomingHttpHeaders): boolean {
  return destination === 'document'
}

/** A secret of 32 bytes; only its digest is kept. */
function makeSecret(): { secret: string; digest: Buffer } {
  const secret = randomBytes(32).toString('base64url')
  return { secret, digest: digestOf(secret) }
}

function takes(digests: readonly Buffer[], given: string): boolean {
  return digests.some((known) => timingSafeEqual(known, digestOf(given)))
}

function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
