import { randomBytes } from 'node:crypto'
import type { FallbackPlugin, PluginHandle, PluginSystem, RemoteHost } from '@appfactory/host'
import { isPluginError } from '@appfactory/sdk'
import { quoted } from '@appfactory/sdk/internal'
import { RequestError } from './errors.js'
import { type AliasTarget, split } from './names.js'

/** After so many ms, plugins that could not be loaded are tried again. */
const pauseMs = 5000

/** How many gateways each host has had: their fallbacks do not get in each other’s way. */
const gateways = new WeakMap<PluginSystem, number>()

interface Made {
  name: string
  handle: Promise<PluginHandle>
  /** Why it could not be made. */
  error?: unknown
}

function notPossible(alias: string, why: string): RequestError {
  return new RequestError(501, `${alias} stands for several plugins, which is not possible here: ${why}`, {
    param: 'model',
    code: 'unsupported_operation',
  })
}

/** The fallbacks of a host that stand behind aliases with several plugins. Each is made when it is first asked for. */
export class AliasFallbacks {
  readonly #host: PluginSystem
  readonly #names = new Map<string, Made>()
  readonly #prefix: string

  /** @throws TypeError where an alias needs one, and only a host itself has any. */
  constructor(host: PluginSystem, aliases: ReadonlyMap<string, readonly AliasTarget[]>) {
    const [alias] = [...aliases].find(([, targets]) => targets.length > 1) ?? []
    if (alias !== undefined && !host.fallback)
      throw new TypeError(
        `models: ${quoted(alias)} stands for several plugins, which takes a host: a cluster has no fallbacks. Name one plugin`,
      )
    const number = (gateways.get(host) ?? 0) + 1
    gateways.set(host, number)
    this.#host = host
    // A host that others are connected to as well has names of theirs.
    const shared = isRemote(host) ? `-${randomBytes(4).toString('hex')}` : ''
    this.#prefix = `model${number === 1 ? '' : number}${shared}`
  }

  /** Whether one of them has that name. */
  has(name: string): boolean {
    return name.startsWith(`${this.#prefix}:`)
  }

  /** The name of the fallback for an alias. It can be called at once. */
  nameOf(alias: string, targets: readonly AliasTarget[]): string {
    const known = this.#names.get(alias)
    if (known !== undefined) return known.name
    if (!this.#host.fallback) throw notPossible(alias, 'only a host itself can do that')
    // An alias may be any text.
    const plain = alias.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 150)
    const name = `${this.#prefix}:${plain === alias ? plain : `${plain}:${this.#names.size}`}`
    const plugins = targets.map(pluginOf)
    // This process may be killed: nobody else would take their names away.
    const handle = isRemote(this.#host)
      ? this.#host.fallback(name, plugins, { whileConnected: true })
      : this.#host.fallback(name, plugins)
    const made: Made = { name, handle }
    this.#names.set(alias, made)
    handle.catch((error: unknown) => {
      made.error = error
      setTimeout(() => this.#names.delete(alias), pauseMs).unref()
    })
    return name
  }

  /** @throws RequestError 501 where the host does not let this gateway make the fallback for an alias. */
  checkMade(alias: string): void {
    const error = this.#names.get(alias)?.error
    if (isPluginError(error, 'CALL_FORBIDDEN') || isPluginError(error, 'METHOD_NOT_FOUND'))
      throw notPossible(alias, error.message)
  }

  close(): void {
    for (const { handle } of this.#names.values()) handle.then((made) => made.unload()).catch(() => {})
    this.#names.clear()
  }
}

function isRemote(host: PluginSystem): host is RemoteHost {
  return 'request' in host
}

/** What a target says of model and voice holds where the client asks for none; other models than its own are unknown to it. */
function pluginOf({ name, voice }: AliasTarget): FallbackPlugin {
  const [plugin, model] = split(name)
  return {
    plugin,
    defaults: {
      ...(model === undefined ? {} : { model }),
      ...(voice === undefined ? {} : { voice_id: voice }),
    },
  }
}
