import { readKeyFile } from './key-file.js'
import { UsageError } from './usage-error.js'

type Env = Readonly<Record<string, string | undefined>>

/** Flags of `appfactory-host gateway`. */
export interface GatewayFlags {
  port: number
  host: string
  keyFile: string | undefined
  allowOpen: boolean
  model: string[] | undefined
  voice: string[] | undefined
  fallbackModel: string | undefined
  strictModels: boolean
  hostName: string[] | undefined
  cors: string[] | undefined
  publicListings: boolean
  quietHeaders: boolean
}

/**
 * The options of `serveGateway`, as the command line and the environment say.
 *
 * @throws UsageError that names the flag.
 */
export async function gatewayOptions(flags: GatewayFlags, env: Env): Promise<object> {
  const { port, host: address, allowOpen, strictModels, publicListings, quietHeaders } = flags
  const fallbackModel = flags.fallbackModel
  return {
    ...{ port, address, allowOpen, strictModels, publicListings, quietHeaders },
    ...(fallbackModel === undefined ? {} : { fallbackModel }),
    keys: await readKeys(flags, env),
    models: Object.fromEntries((flags.model ?? []).map(aliasOf)),
    voices: voicesOf(flags.voice ?? []),
    hostNames: flags.hostName ?? [],
    cors: flags.cors ?? [],
  }
}

/** The keys of the file, and those of the environment. @throws UsageError that names the file. */
export async function readKeys({ keyFile }: Pick<GatewayFlags, 'keyFile'>, env: Env): Promise<unknown[]> {
  const ofFile = keyFile === undefined ? [] : await readKeyFile(keyFile)
  return [...ofFile, ...wordsOf(env['APPFACTORY_GATEWAY_KEYS'])]
}

/** `gpt-4o-mini=llm_llama/small` */
function aliasOf(text: string): [alias: string, target: string] {
  return pairOf(text, '--model takes ALIAS=PLUGIN, ALIAS=PLUGIN/MODEL or ALIAS=PLUGIN?voice=NAME')
}

/** `alloy=slt`; several for one name are alternatives. */
function voicesOf(texts: readonly string[]): Record<string, string[]> {
  const voices = new Map<string, string[]>()
  for (const text of texts) {
    const [name, voice] = pairOf(text, '--voice takes NAME=VOICE')
    voices.set(name, [...(voices.get(name) ?? []), voice])
  }
  return Object.fromEntries(voices)
}

function pairOf(text: string, takes: string): [name: string, value: string] {
  const at = text.indexOf('=')
  const [name, value] = [text.slice(0, at).trim(), text.slice(at + 1).trim()]
  if (at >= 0 && name !== '' && value !== '') return [name, value]
  throw new UsageError(`${takes}, not ${text.slice(0, 80)}`)
}

function wordsOf(text = ''): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '')
}
