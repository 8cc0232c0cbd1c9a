import { access, constants } from 'node:fs/promises'
import { isIP } from 'node:net'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import { describeThrown } from '@appfactory/sdk/internal'
import type { TlsOptions } from '@nats-io/transport-node'

/** Files in PEM. */
interface TlsFiles {
  caFile?: string | undefined
  certFile?: string | undefined
  keyFile?: string | undefined
}

type Verified = TlsOptions & {
  checkServerIdentity(name: string, certificate: PeerCertificate): Error | undefined
}

/**
 * How a connection to these servers is encrypted and verified.
 *
 * @throws TypeError for a file that can't be read.
 */
export async function tlsOptions(files: TlsFiles, servers: readonly string[]): Promise<Verified> {
  const { caFile, certFile, keyFile } = files
  for (const [name, file] of Object.entries({ caFile, certFile, keyFile }))
    if (file !== undefined) await checkReadable(name, file)
  return {
    ...{ ...(caFile ? { caFile } : {}), ...(certFile ? { certFile } : {}), ...(keyFile ? { keyFile } : {}) },
    checkServerIdentity: (name, certificate) => whyOther(namesFor(name, servers), certificate),
  }
}

/** The client has Node compare the certificate of an address in numbers with "localhost": it is for one of the addresses. */
function namesFor(name: string, servers: readonly string[]): readonly string[] {
  if (name !== 'localhost') return [name]
  const hosts = servers.map((server) => new URL(server).hostname.replace(/^\[|\]$/g, ''))
  return hosts.filter((host) => host === 'localhost' || isIP(host) !== 0)
}

/** Why a certificate is for none of these names. Undefined: it is for one of them. */
function whyOther(names: readonly string[], certificate: PeerCertificate): Error | undefined {
  const reasons = names.map((name) => checkServerIdentity(name, certificate))
  return reasons.includes(undefined) ? undefined : (reasons[0] ?? checkServerIdentity('', certificate))
}

async function checkReadable(name: string, file: string): Promise<void> {
  try {
    await access(file, constants.R_OK)
  } catch (error) {
    throw new TypeError(`tls.${name}: ${file} can’t be read: ${describeThrown(error).message}`)
  }
}
