import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** A secret of 32 bytes; only its digest is to be kept. */
export function makeSecret(): { secret: string; digest: Buffer } {
  const secret = randomBytes(32).toString('base64url')
  return { secret, digest: digestOf(secret) }
}

/** What is kept of a secret: its SHA-256. */
export function digestOf(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

/** Where the digest of `given` is among `digests`; -1: nowhere. How long it takes tells nothing of them. */
export function indexOfSecret(digests: readonly Buffer[], given: string): number {
  const digest = digestOf(given)
  return digests.findIndex((known) => timingSafeEqual(known, digest))
}
