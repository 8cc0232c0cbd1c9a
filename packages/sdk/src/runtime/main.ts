// A plugin's process. `node main.js <entry file> [--provide-sdk] [--jiti URL]`, started by a host that talks to it on stdio.

import { readFileSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { configJsonSchema, configSchemaOf, hasConfigSchema } from '../config.js'
import type { AnyPlugin } from '../contracts/base.js'
import { contractSymbol } from '../contracts/contract.js'
import { describeThrown, isPluginError, PluginError } from '../errors.js'
import type { IncomingCall } from '../wire/call.js'
import { Peer } from '../wire/peer.js'
import {
  type CallParams,
  type CaptureStateParams,
  type HandshakeParams,
  type HandshakeResult,
  type HealthResult,
  pluginMethods,
  protocolVersions,
  type WireState,
} from '../wire/protocol.js'
import { type Connection, connect } from './connection.js'
import { Dispatcher } from './dispatch.js'
import { loadPluginClass, type PluginClass } from './load.js'
import { logThrown } from './log-thrown.js'
import { openByteChannel } from './pipe.js'
import {
  capabilitiesOf,
  captureState,
  checkContract,
  checkMethods,
  construct,
  healthOf,
  initialize,
  restoreState,
} from './plugin.js'
import { resolveSdk, resolveSdkInRequire } from './sdk-resolver.js'
import { registerHooks, type TypeScriptOptions } from './typescript.js'

/** How long `shutdown()` may take after the host has exited. */
const orphanGraceMs = 1500

/** How long cancelled calls may take to end when the process exits, in ms. */
const callsGraceMs = 500

class PluginProcess {
  readonly #peer: Peer
  readonly #connection: Connection
  readonly #loading: Promise<PluginClass>
  #plugin: AnyPlugin | undefined
  #pluginClass: PluginClass | undefined
  #dispatcher: Dispatcher | undefined
  #shutdown: Promise<unknown> | undefined

  constructor(entryFile: string, connection: Connection, options: TypeScriptOptions) {
    this.#connection = connection
    this.#peer = new Peer({
      input: connection.input,
      output: connection.output,
      handle: (call) => this.#handle(call),
      onEnd: () => void this.#leave(),
      onGone: () => void this.#leave(),
    })
    // Its failure is the handshake's answer.
    this.#loading = loadPluginClass(entryFile, options)
    this.#loading.catch(() => {})
    process.once('exit', () => this.#peer.flush())
  }

  #handle(call: IncomingCall): unknown {
    const params = (call.params ?? {}) as Record<string, unknown>
    switch (call.method) {
      case pluginMethods.handshake:
        return this.#handshake(params as unknown as HandshakeParams)
      case pluginMethods.initialize:
        return this.#initialize((params['config'] ?? {}) as Record<string, unknown>)
      case pluginMethods.call:
        return this.#call(params as unknown as CallParams, call)
      case pluginMethods.health:
        return this.#health()
      case pluginMethods.ping:
        return 'pong'
      case pluginMethods.captureState:
        return captureState(this.#ready(), params as unknown as CaptureStateParams)
      case pluginMethods.restoreState:
        return restoreState(this.#ready(), params as unknown as WireState)
      case pluginMethods.shutdown:
        return this.#stop(call)
      default:
        throw new PluginError('METHOD_NOT_FOUND', `A plugin has no method ${call.method}`)
    }
  }

  async #handshake(params: HandshakeParams): Promise<HandshakeResult> {
    const version = protocolVersions.find((ours) => params.protocol_versions.includes(ours))
    if (version === undefined) {
      const versions = `the host speaks ${params.protocol_versions.join(', ')}, the plugin’s SDK ${protocolVersions.join(', ')}`
      throw new PluginError(
        'PROTOCOL_VERSION_UNSUPPORTED',
        `No protocol version in common: ${versions}. Update the older of the two`,
      )
    }
    if (params.max_message_bytes) this.#peer.limitMessages(params.max_message_bytes)
    const pluginClass = await this.#loading
    checkContract(pluginClass, params.manifest.contract)
    const contract = await pluginClass[contractSymbol].describe()
    const plugin = construct(pluginClass, params.manifest)
    checkMethods(plugin, contract)
    this.#plugin = plugin
    this.#pluginClass = pluginClass
    this.#dispatcher = new Dispatcher(plugin, pluginClass[contractSymbol], contract)
    const schema = params.wants_config_schema ? configSchemaOf(pluginClass) : undefined
    return {
      protocol_version: version,
      sdk_version: sdkVersion(),
      contract,
      capabilities: capabilitiesOf(pluginClass, plugin, contract),
      config_schema: schema ? await configJsonSchema(schema) : null,
      ...(hasConfigSchema(pluginClass) ? { checks_config: true } : {}),
      message_channels: this.#connection.channels,
      byte_channels: this.#openBytes(params),
    }
  }

  /** Raw bytes go over file descriptor 3, if the host has put a pipe there. */
  #openBytes({ byte_channels: offered = [], byte_nonce: nonce = '' }: Partial<HandshakeParams>): string[] {
    if (!offered.includes('fd3') || nonce === '') return []
    try {
      this.#peer.receiveBytes(openByteChannel(3), nonce)
    } catch {
      return []
    }
    // The answer to the handshake has no bytes, so the host knows before any come.
    this.#peer.sendBytes()
    return ['fd3']
  }

  async #initialize(config: Record<string, unknown>): Promise<true> {
    await initialize(this.#ready(), this.#pluginClass, config)
    return true
  }

  #call({ method, args, stream, trace }: CallParams, call: IncomingCall): Promise<unknown> {
    this.#ready()
    if (!this.#dispatcher) throw new PluginError('PLUGIN_NOT_READY', 'The handshake comes first')
    return this.#dispatcher.call(method, args, stream, call, trace)
  }

  async #health(): Promise<HealthResult> {
    return healthOf(this.#ready())
  }

  /** Answers once `shutdown()` is done; the process then ends by itself. */
  async #stop(call: IncomingCall): Promise<true> {
    try {
      const plugin = this.#plugin?.name
      const reason = new PluginError('PLUGIN_NOT_READY', `Plugin "${plugin}" is being unloaded`, { plugin })
      await within(callsGraceMs, this.#peer.cancelOthers(call, reason))
      await this.#shutDownOnce()
      return true
    } catch (error) {
      logThrown(error)
      const { message } = describeThrown(error)
      throw isPluginError(error)
        ? error
        : new PluginError('PLUGIN_SHUTDOWN_FAILED', `shutdown() failed: ${message}`)
    } finally {
      setImmediate(() => this.#exit())
    }
  }

  /** The host has exited: ends this process. */
  async #leave(): Promise<void> {
    setTimeout(() => process.exit(0), orphanGraceMs)
    this.#peer.close(new PluginError('REQUEST_CANCELLED', 'The host is gone'))
    await within(callsGraceMs, this.#peer.idle())
    try {
      await this.#shutDownOnce()
    } catch (error) {
      logThrown(error)
    }
    process.exit(0)
  }

  async #shutDownOnce(): Promise<void> {
    this.#shutdown ??= Promise.resolve(this.#plugin?.shutdown())
    await this.#shutdown
  }

  #exit(): void {
    this.#peer.flush()
    const { output } = this.#connection
    if (output.writableLength === 0) process.exit(0)
    output.once('drain', () => process.exit(0))
  }

  #ready(): AnyPlugin {
    if (this.#plugin) return this.#plugin
    throw new PluginError('PLUGIN_NOT_READY', 'The handshake comes first')
  }
}

/** Waits for `work`, but not longer. */
function within(ms: number, work: Promise<void>): Promise<void> {
  return Promise.race([work, new Promise<void>((resolve) => setTimeout(resolve, ms))])
}

function sdkVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

function provideSdk(): void {
  if (!registerHooks({ resolve: resolveSdk }))
    nodeModule.register(new URL('./sdk-resolver.js', import.meta.url))
  resolveSdkInRequire(nodeModule.Module)
}

const [entryFile, ...flags] = process.argv.slice(2)
if (!entryFile) {
  console.error('This file is started by a host: node main.js <entry file> [--provide-sdk] [--jiti URL]')
  process.exit(2)
}
const connection = connect()
const hasNoSdk = flags.includes('--provide-sdk')
if (hasNoSdk) provideSdk()
const jiti = flags.includes('--jiti') ? flags[flags.indexOf('--jiti') + 1] : undefined
new PluginProcess(entryFile, connection, { provideSdk: hasNoSdk, ...(jiti === undefined ? {} : { jiti }) })
