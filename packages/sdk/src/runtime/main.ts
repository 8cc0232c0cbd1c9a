// A plugin's process. `node main.js <entry file> [--provide-sdk] [--jiti URL]`, started by a host that talks to it on stdio.
import { readFileSync } from 'node:fs'
import * as nodeModule from 'node:module'
import type { Writable } from 'node:stream'
import { configJsonSchema, configSchemaOf, parseConfig } from '../config.js'
import { type AnyPlugin, setManifest, trackLifecycle } from '../contracts/base.js'
import { type ContractDescriptor, contractSymbol } from '../contracts/contract.js'
import { describeThrown, isPluginError, PluginError } from '../errors.js'
import { type HealthStatus, PluginStatus } from '../health.js'
import type { Manifest } from '../manifest.js'
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
import { Dispatcher } from './dispatch.js'
import { guardStdout, openPipe } from './guard.js'
import { loadPluginClass, type PluginClass } from './load.js'
import { placeOf } from './place.js'
import { resolveSdk } from './sdk-resolver.js'
import { decodeState, encodeState } from './state.js'
import { registerHooks, type TypeScriptOptions } from './typescript.js'

/** How long `shutdown()` may take once the host is gone. */
const orphanGraceMs = 1500

class PluginProcess {
  readonly #peer: Peer
  readonly #output: Writable
  readonly #loading: Promise<PluginClass>
  #plugin: AnyPlugin | undefined
  #pluginClass: PluginClass | undefined
  #dispatcher: Dispatcher | undefined
  #shutdown: Promise<unknown> | undefined

  constructor(entryFile: string, output: Writable, options: TypeScriptOptions) {
    this.#output = output
    this.#peer = new Peer({
      input: process.stdin,
      output,
      handle: (call) => this.#handle(call),
      onEnd: () => void this.#leave(),
      onGone: () => void this.#leave(),
    })
    // Imported while the handshake is on its way; its failure is the handshake's answer.
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
        return this.#captureState(params as unknown as CaptureStateParams)
      case pluginMethods.restoreState:
        return this.#restoreState(params as unknown as WireState)
      case pluginMethods.shutdown:
        return this.#stop()
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
      byte_channels: this.#openBytes(params),
    }
  }

  /** Raw bytes go over file descriptor 3, if the host has put a pipe there. */
  #openBytes({ byte_channels: offered = [], byte_nonce: nonce = '' }: Partial<HandshakeParams>): string[] {
    if (!offered.includes('fd3') || nonce === '') return []
    try {
      this.#peer.receiveBytes(openPipe(3), nonce)
    } catch {
      return []
    }
    // The answer to the handshake has no bytes, so the host knows before any come.
    this.#peer.sendBytes()
    return ['fd3']
  }

  async #initialize(config: Record<string, unknown>): Promise<true> {
    const plugin = this.#ready()
    const parsed = parseConfig(plugin.name, configSchemaOf(this.#pluginClass ?? {}), config)
    try {
      if ((await plugin.initialize(parsed as never)) === false) throw new Error('initialize() returned false')
      return true
    } catch (error) {
      if (isPluginError(error)) throw error
      console.error(error)
      const { message } = describeThrown(error)
      throw new PluginError(
        'PLUGIN_INITIALIZE_FAILED',
        `${plugin.name} could not be initialized: ${message}`,
        { place: placeOf(error) },
      )
    }
  }

  #call({ method, args, stream }: CallParams, call: IncomingCall): Promise<unknown> {
    this.#ready()
    if (!this.#dispatcher) throw new PluginError('PLUGIN_NOT_READY', 'The handshake comes first')
    return this.#dispatcher.call(method, args, stream, call)
  }

  async #health(): Promise<HealthResult> {
    const plugin = this.#ready()
    const health: Partial<HealthStatus> | undefined = await plugin.healthCheck()
    const { status, message = '', details = {}, latencyMs = null, memoryMb } = health ?? {}
    if (status === undefined || !(status in PluginStatus)) {
      const data = { plugin: plugin.name, method: 'health_check', error: 'TypeError' }
      throw new PluginError(
        'INTERNAL_ERROR',
        `healthCheck() of ${plugin.name} must return { status } with one of ${Object.keys(PluginStatus).join(', ')}`,
        data,
      )
    }
    const memory = typeof memoryMb === 'number' ? memoryMb : process.memoryUsage.rss() / 1e6
    return { status, message: String(message), details, latency_ms: latencyMs, memory_mb: memory }
  }

  async #captureState({ max_bytes: maxBytes }: CaptureStateParams): Promise<WireState> {
    const plugin = this.#ready()
    if (typeof plugin.captureState !== 'function') throw lacks(plugin, 'captureState')
    return encodeState(await this.#stateOf('captureState', () => plugin.captureState?.()), maxBytes)
  }

  async #restoreState(state: WireState): Promise<true> {
    const plugin = this.#ready()
    if (typeof plugin.restoreState !== 'function') throw lacks(plugin, 'restoreState')
    await this.#stateOf('restoreState', () => plugin.restoreState?.(decodeState(state)))
    return true
  }

  async #stateOf(method: string, work: () => unknown): Promise<unknown> {
    try {
      return await work()
    } catch (error) {
      if (isPluginError(error)) throw error
      console.error(error)
      const { message } = describeThrown(error)
      throw new PluginError('HOTSWAP_FAILED', `${method}() of ${this.#ready().name} failed: ${message}`, {
        place: placeOf(error),
      })
    }
  }

  /** Answers once `shutdown()` is done; the process then ends by itself. */
  async #stop(): Promise<true> {
    try {
      await this.#shutDownOnce()
      return true
    } catch (error) {
      console.error(error)
      const { message } = describeThrown(error)
      throw isPluginError(error)
        ? error
        : new PluginError('PLUGIN_SHUTDOWN_FAILED', `shutdown() failed: ${message}`)
    } finally {
      setImmediate(() => this.#exit())
    }
  }

  /** The host is gone, so nobody needs this process any more. */
  async #leave(): Promise<void> {
    setTimeout(() => process.exit(0), orphanGraceMs)
    this.#peer.close(new PluginError('REQUEST_CANCELLED', 'The host is gone'))
    try {
      await this.#shutDownOnce()
    } catch (error) {
      console.error(error)
    }
    process.exit(0)
  }

  async #shutDownOnce(): Promise<void> {
    this.#shutdown ??= Promise.resolve(this.#plugin?.shutdown())
    await this.#shutdown
  }

  #exit(): void {
    this.#peer.flush()
    if (this.#output.writableLength === 0) process.exit(0)
    this.#output.once('drain', () => process.exit(0))
  }

  #ready(): AnyPlugin {
    if (this.#plugin) return this.#plugin
    throw new PluginError('PLUGIN_NOT_READY', 'The handshake comes first')
  }
}

function lacks(plugin: AnyPlugin, method: string): PluginError {
  return new PluginError('METHOD_NOT_FOUND', `${plugin.name} has no ${method}()`)
}

/** @throws PluginError CONTRACT_MISMATCH where the class is of another contract than the manifest says. */
function checkContract(pluginClass: PluginClass, wanted: string): void {
  const { name } = pluginClass[contractSymbol]
  if (name === wanted) return
  throw new PluginError(
    'CONTRACT_MISMATCH',
    `The manifest says contract "${wanted}", but ${pluginClass.name} extends the contract "${name}". Correct one of the two`,
  )
}

/** @throws PluginError CONTRACT_MISMATCH where a method is missing that the contract requires. */
function checkMethods(plugin: AnyPlugin, { name, methods }: ContractDescriptor): void {
  const required = methods.filter((method) => method.required).map((method) => method.name)
  const needed = ['initialize', 'shutdown', 'healthCheck', ...required]
  const missing = needed.filter((method) => typeof Reflect.get(plugin, method) !== 'function')
  if (missing.length === 0) return
  throw new PluginError(
    'CONTRACT_MISMATCH',
    `${plugin.constructor.name} lacks ${missing.join(', ')}, which the contract "${name}" requires`,
    { missing },
  )
}

function construct(pluginClass: PluginClass, manifest: Manifest): AnyPlugin {
  try {
    const plugin = new pluginClass()
    trackLifecycle(plugin)
    setManifest(plugin, manifest)
    return plugin
  } catch (error) {
    console.error(error)
    const { message } = describeThrown(error)
    throw new PluginError('PLUGIN_LOAD_FAILED', `The constructor of ${pluginClass.name} failed: ${message}`, {
      place: placeOf(error),
    })
  }
}

/** What the author wrote, as against what the contract's class brings along. */
function capabilitiesOf(
  pluginClass: PluginClass,
  plugin: AnyPlugin,
  { methods }: ContractDescriptor,
): string[] {
  const base = contractClassOf(pluginClass)
  const own = methods.filter(({ name }) => {
    const method: unknown = Reflect.get(plugin, name)
    return typeof method === 'function' && method !== Reflect.get(base, name)
  })
  const state = typeof plugin.captureState === 'function' && typeof plugin.restoreState === 'function'
  return [...own.map(({ wire }) => wire), ...(state ? ['state'] : [])]
}

/** The prototype of the contract that `pluginClass` extends, whichever copy of the SDK it is from. */
function contractClassOf(pluginClass: PluginClass): object {
  let current: object = pluginClass
  while (!Object.hasOwn(current, contractSymbol)) current = Object.getPrototypeOf(current) as object
  return (current as { prototype: object }).prototype
}

function sdkVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

function provideSdk(): void {
  if (!registerHooks({ resolve: resolveSdk }))
    nodeModule.register(new URL('./sdk-resolver.js', import.meta.url))
}

const [entryFile, ...flags] = process.argv.slice(2)
if (!entryFile) {
  console.error('This file is started by a host: node main.js <entry file> [--provide-sdk] [--jiti URL]')
  process.exit(2)
}
const output = guardStdout()
const hasNoSdk = flags.includes('--provide-sdk')
if (hasNoSdk) provideSdk()
const jiti = flags.includes('--jiti') ? flags[flags.indexOf('--jiti') + 1] : undefined
new PluginProcess(entryFile, output, { provideSdk: hasNoSdk, ...(jiti === undefined ? {} : { jiti }) })
