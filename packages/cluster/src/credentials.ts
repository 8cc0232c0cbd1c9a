import { readFile } from 'node:fs/promises'
import { describeThrown, shortened } from '@appfactory/sdk/internal'
import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node'

/** What a process proves itself with, and its name where the file says it. */
export interface Credentials {
  authenticator: Authenticator
  name?: string | undefined
}

/** The text of a file for the seed of an nkey. */
export function seedFile(name: string, seed: string): string {
  return `# name: ${name}\n${seed}\n`
}

/** @throws TypeError where the file can't be read, or holds none. */
export async function readCredentials(file: string): Promise<Credentials> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw new TypeError(`creds: ${shortened(file)} can’t be read: ${describeThrown(error).message}`)
  })
  const text = bytes.toString('utf8')
  const [, name] = /^# name: (\S+)$/m.exec(text) ?? []
  const authenticator = authenticatorOf(bytes, text.replace(/^#.*$/gm, '').trim())
  if (authenticator) return { authenticator, name }
  throw new TypeError(
    `creds: ${shortened(file)} holds no credentials. It takes those of nsc (.creds), the seed of an nkey (SU…), or user:password`,
  )
}

function authenticatorOf(bytes: Buffer, secret: string): Authenticator | undefined {
  if (secret.includes('BEGIN NATS USER JWT')) return credsAuthenticator(bytes)
  if (/^SU[A-Z2-7]{56}$/.test(secret)) return nkeyAuthenticator(Buffer.from(secret))
  const [, user, password] = /^([^:\s]+):(\S+)$/.exec(secret) ?? []
  return user === undefined || password === undefined
    ? undefined
    : usernamePasswordAuthenticator(user, password)
}
