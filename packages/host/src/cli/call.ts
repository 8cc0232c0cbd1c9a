import { readFile, writeFile } from 'node:fs/promises'
import type { ContractDescriptor, MethodDescriptor } from '@appfactory/sdk'
import { parseJson } from '@appfactory/sdk/internal'
import { reasonOf } from '../errors.js'
import { replicaCount } from '../numbers.js'
import type { PluginSystem } from '../plugin-system.js'
import { connectCluster, isOfCluster } from './front.js'
import { type CommonOptions, exitCodes, print, printJson, roomIn, type Streams, write } from './output.js'
import { patiently } from './patience.js'
import { isConfiguration } from './resolve.js'
import { createHost, showProgress } from './serve.js'
import { UsageError } from './usage-error.js'

interface CallCommand extends CommonOptions {
  plugin: string
  method: string
  args?: string
  file?: string[]
  config?: string[]
  out?: string
  timeout?: number
  replicas?: number
}

/** `appfactory-host call PLUGIN METHOD`: loads, calls, prints, unloads. */
export async function call(streams: Streams, options: CallCommand): Promise<number> {
  if (options.timeout !== undefined && !(options.timeout > 0))
    throw new UsageError('--timeout takes a number of ms above 0')
  if (options.replicas !== undefined && !replicaCount.fits(options.replicas))
    throw new UsageError(`--replicas takes ${replicaCount.takes}`)
  const args = { ...parseObject('--args', options.args), ...(await readFiles(options.file ?? [])) }
  const config = configurationOf(options.config)
  const stop = streams.stop.takeOver()
  await using system = await openSystem(streams, options, config, stop)
  try {
    await callOnce(streams, system, options, args, AbortSignal.any([stop, streams.gone]))
  } catch (error) {
    if (!streams.gone.aborted) throw error
  }
  return exitCodes.done
}

/** A host that has loaded the plugin, or the cluster whose nodes have. An abort closes it. */
async function openSystem(
  streams: Streams,
  options: CallCommand,
  config: Record<string, unknown>,
  stop: AbortSignal,
): Promise<PluginSystem & AsyncDisposable> {
  const { plugin, replicas } = options
  if (isOfCluster(options.settings)) {
    if (replicas !== undefined || Object.keys(config).length > 0)
      throw new UsageError('--replicas and --config are for a plugin of this process, not of a cluster')
    const cluster = await connectCluster(streams, options)
    stop.addEventListener('abort', () => void cluster.close(), { once: true })
    try {
      // The call begins once a node has the plugin; its time is also that of the wait for one.
      const words = (): string =>
        cluster.nodes().length === 0
          ? 'waiting for a node: none is there'
          : `waiting for a node that takes calls of ${plugin}`
      await patiently(streams, words, cluster.describe(plugin, { timeoutMs: options.timeout }))
      return cluster
    } catch (error) {
      await cluster.close()
      throw error
    }
  }
  const host = createHost(options)
  showProgress(streams, host, options)
  stop.addEventListener('abort', () => void host.close({ force: true }), { once: true })
  try {
    await host.load(plugin, { config, replicas })
    return host
  } catch (error) {
    await host.close()
    throw error
  }
}

async function callOnce(
  streams: Streams,
  system: PluginSystem,
  options: CallCommand,
  args: Record<string, unknown>,
  signal: AbortSignal,
): Promise<void> {
  const { contract } = await system.describe(options.plugin)
  const calling = { timeoutMs: options.timeout, signal }
  if (methodOf(contract, options.method)?.kind === 'stream' && !options.out) {
    const pieces = system.stream(options.plugin, options.method, args, calling)
    await printPieces(streams, pieces, options.json, signal)
  } else {
    await report(streams, await system.call(options.plugin, options.method, args, calling), options)
  }
}

async function report(streams: Streams, result: unknown, { out, json }: CallCommand): Promise<void> {
  if (out !== undefined) await save(out, result)
  if (json) printJson(streams, out === undefined ? result : withoutBytes(result))
  else if (out === undefined) print(streams, JSON.stringify(result, shorten, 2))
  else print(streams, `${JSON.stringify(withoutBytes(result))}\nsaved to ${out}`)
}

/** The bytes of the result if it has some, otherwise the result as JSON. */
async function save(file: string, result: unknown): Promise<void> {
  const bytes = isObject(result)
    ? Object.entries(result).find(([key]) => key.endsWith('_b64'))?.[1]
    : undefined
  await writeFile(
    file,
    typeof bytes === 'string' ? Buffer.from(bytes, 'base64') : `${JSON.stringify(result, null, 2)}\n`,
  )
}

/** For a person, text as it arrives; for a program, one JSON object a line. */
async function printPieces(
  streams: Streams,
  pieces: AsyncIterable<unknown>,
  json: boolean,
  signal: AbortSignal,
): Promise<void> {
  let isText = false
  for await (const piece of pieces) {
    isText = !json && isObject(piece) && typeof piece['text'] === 'string' && !('audio_b64' in piece)
    if (isText) write(streams.out, String((piece as { text: string }).text))
    else if (json) streams.out.write(`${JSON.stringify(piece)}\n`)
    else print(streams, JSON.stringify(piece, shorten))
    await roomIn(streams, signal)
  }
  if (isText) print(streams, '')
}

async function readFiles(pairs: readonly string[]): Promise<Record<string, string>> {
  const entries = pairs.map(async (pair) => {
    const [, name, path] = /^([a-z][a-z0-9_]*)=(.+)$/.exec(pair) ?? []
    if (!name || !path) throw new UsageError(`--file takes ARG=PATH, such as audio=hello.wav, not ${pair}`)
    const bytes = await readFile(path).catch((error: unknown) => {
      throw new UsageError(`--file ${pair}: ${reasonOf(error)}`)
    })
    return [name.endsWith('_b64') ? name : `${name}_b64`, bytes.toString('base64')] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}

/**
 * The configuration of a plugin among the values of `--config`; the other may be the file of settings.
 *
 * @throws UsageError if it is not JSON, or there are two.
 */
export function configurationOf(given: readonly string[] = []): Record<string, unknown> {
  const [config, ...more] = given.filter(isConfiguration)
  if (more.length > 0) throw new UsageError('--config takes only one configuration of the plugin')
  return parseObject('--config', config, '{"voice":"rms"}')
}

/** @throws UsageError if `text`, the value of `flag`, is not a JSON object. */
export function parseObject(
  flag: string,
  text: string | undefined,
  example = '{"text":"Hello"}',
): Record<string, unknown> {
  if (text === undefined) return {}
  const value = tryParse(flag, text)
  if (isObject(value)) return value
  throw new UsageError(`${flag} takes a JSON object, such as '${example}'`)
}

function tryParse(flag: string, text: string): unknown {
  try {
    return parseJson(text)
  } catch (error) {
    throw new UsageError(`${flag} is not JSON: ${reasonOf(error)}`)
  }
}

function methodOf({ methods }: ContractDescriptor, wireName: string): MethodDescriptor | undefined {
  return methods.find(({ wire }) => wire === wireName)
}

/** Replaces bytes by their length, for a person. */
function shorten(key: string, value: unknown): unknown {
  const isBytes = key.endsWith('_b64') && typeof value === 'string'
  return isBytes ? `(${Buffer.byteLength(value, 'base64')} bytes; use --out FILE or --json)` : value
}

function withoutBytes(result: unknown): unknown {
  return isObject(result)
    ? Object.fromEntries(Object.entries(result).filter(([key]) => !key.endsWith('_b64')))
    : result
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
