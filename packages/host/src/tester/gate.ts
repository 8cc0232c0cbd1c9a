import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { isFromElsewhere, soleHostOf } from '../http/names.js'
import { indexOfSecret, makeSecret } from '../http/secrets.js'

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
  refuseForeign(request: IncomingMessage, isVisit: boolean): Refusal | undefined {
    const { headers, method } = request
    if (soleHostOf(request) !== this.#host) return { status: 403, reason: [`This is ${this.#host}`] }
    const isChange = method !== 'GET' && method !== 'HEAD'
    const isOwn = headers.origin === this.origin || (headers.origin === undefined && !isChange)
    if (!isOwn || (isFromElsewhere(headers) && !(isVisit && isNavigation(headers))))
      return { status: 403, reason: ['Only the page of this tester may ask for that'] }
    return undefined
  }

  /** Refuses a request of an unknown browser. */
  refuseStranger({ headers }: IncomingMessage): Refusal | undefined {
    if (indexOfSecret(this.#sessions, this.#cookieOf(headers)) >= 0) return undefined
    return { status: 401, reason: howToOpen }
  }

  /** Exchanges a token for a cookie; undefined if it is invalid or expired. */
  exchange(token: string): string | undefined {
    this.#tokens = this.#tokens.filter(({ until }) => performance.now() < until)
    const index = indexOfSecret(
      this.#tokens.map(({ digest }) => digest),
      token,
    )
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

/** Whether the user navigates there, rather than a page that loads a frame, an image or data. */
function isNavigation({ 'sec-fetch-dest': destination }: IncomingHttpHeaders): boolean {
  return destination === 'document'
}
