import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

/** Why a request gets nothing. */
export interface Refusal {
  status: 401 | 403
  reason: string
}

/** How long a token that nobody uses opens the door, in ms. */
const tokenLifeMs = 60 * 60 * 1000

/** Sec-Fetch-Site of requests that our own page, or a person, makes. */
const ownSites = new Set(['same-origin', 'none'])

/**
 * Who may talk to the tester: a page of our own origin, in a browser that has exchanged a token for a cookie. Only the
 * headers of a request are looked at.
 */
export class Gate {
  readonly #host: string
  readonly #cookieName: string
  /** Each with the time of its end. */
  #tokens: { digest: Buffer; until: number }[] = []
  readonly #sessions: Buffer[] = []

  constructor(port: number) {
    this.#host = `127.0.0.1:${port}`
    // Cookies know no ports: two testers at once must not put each other out.
    this.#cookieName = `appfactory_tester_${port}`
  }

  get origin(): string {
    return `http://${this.#host}`
  }

  /** A token that opens the door once, within an hour. */
  issueToken(): string {
    const { secret, digest } = makeSecret()
    this.#tokens.push({ digest, until: performance.now() + tokenLifeMs })
    return secret
  }

  /** Why a request comes from elsewhere, if it does. `isVisit`: it may be a link that a person has followed. */
  refuseForeign(
    { headers, headersDistinct, method }: IncomingMessage,
    isVisit: boolean,
  ): Refusal | undefined {
    // Of several names, each reader would believe another one.
    if (headers.host !== this.#host || headersDistinct.host?.length !== 1)
      return { status: 403, reason: `This is ${this.#host}` }
    const isChange = method !== 'GET' && method !== 'HEAD'
    const isOwn = headers.origin === this.origin || (headers.origin === undefined && !isChange)
    if (!isOwn || (isElsewhere(headers) && !(isVisit && isNavigation(headers))))
      return { status: 403, reason: 'Only the page of this tester may ask for that' }
    return undefined
  }

  /** Why a request of an unknown browser is refused. */
  refuseStranger({ headers }: IncomingMessage): Refusal | undefined {
    if (takes(this.#sessions, this.#cookieOf(headers))) return undefined
    return { status: 401, reason: 'Open the URL that appfactory-host tester has printed; it works once' }
  }

  /** Makes a cookie out of a token; undefined where it is not, or no longer, good. */
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

/** Whether the browser says that another site asks. */
function isElsewhere({ 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  return site !== undefined && !ownSites.has(String(site))
}

/** Whether a person goes there, rather than a page that wants a frame, a picture or the text. */
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
