import { stat } from 'node:fs/promises'
import { describeThrown, systemCodeOf } from '@appfactory/sdk/internal'
import { readSmallFile } from '../small-file.js'
import { UsageError } from './usage-error.js'

/** Longest file of keys, in bytes. */
const maxKeyFileBytes = 1024 * 1024

/** Flags of `appfactory-host gateway`. */
export interface GatewayFlags {
  port: number
  host: string
  keyFile: string | undefined
  allowOpen: boolean
  model: string[] | undefined
  fallbackModel: string | undefined
  strictModels: boolean
  hostName: string[] | undefined
  cors: string[] | undefined
  publicListings: boolean
  stateless: boolean
  hear: boolean
  quietHeaders: boolean
}

/**
 * The options of `serveGateway`, as the command line and the environment say.
 *
 * @throws UsageError that names the flag.
 */
export async function gatewayOptions(
  flags: GatewayFlags,
  env: Readonly<Record<string, string | undefined>>,
): Promise<object> {
  const {
    port,
    host: address,
    allowOpen,
    strictModels,
    publicListings,
    stateless,
    hear,
    quietHeaders,
  } = flags
  const fallbackModel = flags.fallbackModel
  return {
    ...{ port, address, allowOpen, strictModels, publicListings, stateless, hear, quietHeaders },
    ...(fallbackModel === undefined ? {} : { fallbackModel }),
    keys: [...(await keysOf(flags.keyFile)), ...wordsOf(env['APPFACTORY_GATEWAY_KEYS'])],
    models: Object.fromEntries((flags.model ?? []).map(aliasOf)),
    hostNames: flags.hostName ?? [],
    cors: flags.cors ?? [],
  }
}

/** `gpt-4o-mini=llm_llama/small` */
function aliasOf(text: string): [alias: string, target: string] {
  const at = text.indexOf('=')
  const [alias, target] = [text.slice(0, at).trim(), text.slice(at + 1).trim()]
  if (at >= 0 && alias !== '' && target !== '') return [alias, target]
  throw new UsageError(`--model takes ALIAS=PLUGIN or ALIAS=PLUGIN/MODEL, not ${text.slice(0, 80)}`)
}

/** The keys of a file that only this user can read. */
async function keysOf(file: string | undefined): Promise<string[]> {
  if (file === undefined) return []
  try {
    await refuseOpenFile(file)
    const lines = (await readSmallFile(file, maxKeyFileBytes)).split('\n').map((line) => line.trim())
    const keys = lines.filter((line) => line !== '' && !line.startsWith('#'))
    if (keys.length === 0) throw new UsageError(`there is no key in it; write one a line`)
    if (keys.some((key) => /\s/.test(key)))
      throw new UsageError('a key must not hold spaces; write one a line')
    return keys
  } catch (error) {
    const reason = systemCodeOf(error) === 'ENOENT' ? 'there is no such file' : describeThrown(error).message
    throw new UsageError(`--key-file ${file}: ${reason}`)
  }
}

/** Windows has no such bits. */
async function refuseOpenFile(file: string): Promise<void> {
  if (process.platform === 'win32') return
  const { mode } = await stat(file)
  if ((mode & 0o077) !== 0) throw new UsageError(`others can read it; run chmod 600 ${file}`)
}

function wordsOf(text = ''): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '')
}
