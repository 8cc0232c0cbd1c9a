import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { describeThrown } from '@appfactory/sdk/internal'
import { type HostOptions, internalsOf, PluginHost } from '../host.js'
import { Readiness } from '../metrics/readiness.js'
import type { PluginSystem } from '../plugin-system.js'
import { serveStdio } from '../server/stdio.js'
import type { ListenOptions } from './listen.js'
import { startMetrics } from './metrics.js'
import { type CommonOptions, complain, exitCodes, type Streams, tell } from './output.js'
import { reload } from './reload.js'
import type { Settings } from './resolve.js'

/** `appfactory-host`: serves one client on stdin and stdout. */
export async function serve(
  streams: Streams,
  options: CommonOptions & { syncMode: boolean } & Partial<ListenOptions>,
): Promise<number> {
  if (options.listen !== undefined) {
    const { serveCallers } = await import('./listen.js')
    return serveCallers(streams, { ...options, listen: options.listen })
  }
  if (options.settings.cluster['node'] !== undefined) {
    const { serveAsNode } = await import('./node.js')
    return serveAsNode(streams, options)
  }
  const { startSystem } = await import('./front.js')
  await using serving = await startSystem(streams, options)
  if (process.stdin.isTTY)
    tell(
      streams,
      'waiting for JSON-RPC requests on stdin, one a line; Ctrl+D ends it, and --help lists commands',
    )
  return await serveClient(streams, serving.host, {
    input: process.stdin,
    sequential: options.syncMode,
    // Started before the first request is read: calls wait for plugins that are loading.
    begin: serving.load,
  })
}

/** A host of a command that serves, with what its operators have: metrics, probes, and SIGHUP to read the configuration again. */
export interface Serving<System = PluginHost> extends AsyncDisposable {
  readonly host: System
  /** Starts to load what was asked for. */
  load(): Promise<void>
  /** Resolves when that has ended, with or without success. */
  readonly loaded: Promise<void>
}

interface HostServing extends Serving {
  /** Serves these metrics too, behind those of the host. */
  addMetrics(read: () => string): void
}

/**
 * @param readMore What else SIGHUP reads again.
 * @throws Error where the port of the metrics can't be listened on.
 */
export async function startServing(
  streams: Streams,
  options: CommonOptions,
  readMore?: () => Promise<void>,
): Promise<HostServing> {
  const host = createHost(options)
  showProgress(streams, host, options)
  const { settings, readSettings } = options
  const readiness = new Readiness(host)
  let moreMetrics = (): string => ''
  const source = { metrics: () => host.metrics() + moreMetrics(), obstacles: () => readiness.obstacles() }
  const metrics = await startMetrics(streams, source, settings.metrics)
  let endLoading = (): void => {}
  const loaded = new Promise<void>((resolve) => {
    endLoading = resolve
  })
  const load = async (fresh: Settings): Promise<void> => {
    const { all } = await beginLoading(host, streams, fresh, readiness)
    void all.then(endLoading)
  }
  // On a terminal, it means that the terminal was closed.
  if (!process.stdin.isTTY)
    streams.stop.takeHangUps(() => void reload(streams, { host, settings, readSettings, readMore, load }))
  warnOfMissingFolders(streams, settings)
  return {
    host,
    addMetrics: (read) => {
      moreMetrics = read
    },
    load: () => load(settings),
    loaded,
    [Symbol.asyncDispose]: async () => {
      await metrics?.[Symbol.asyncDispose]()
      await host.close()
    },
  }
}

interface ServeOptions {
  input: Readable
  sequential: boolean
  /** Runs before the first request is read. */
  begin(): Promise<void>
}

/** Serves until the client or a signal ends it; returns the exit code. Only messages are written to stdout. */
export async function serveClient(
  streams: Streams,
  system: PluginSystem,
  { input, sequential, begin }: ServeOptions,
): Promise<number> {
  const stop = streams.stop.takeOver()
  await withStdoutTaken(async (output) => {
    await begin()
    streams.flushMs = await serveStdio(system, { input, output, sequential, stop })
  })
  return exitCodes.done
}

/** Runs what writes messages to stdout. Output of a library goes to stderr meanwhile: it must not reach the client. */
export async function withStdoutTaken(run: (output: Writable) => Promise<void>): Promise<void> {
  const output = process.stdout
  Object.defineProperty(process, 'stdout', { configurable: true, get: () => process.stderr })
  try {
    await run(output)
  } finally {
    Object.defineProperty(process, 'stdout', { configurable: true, get: () => output })
  }
}

/** Tells on stderr what takes long before a plugin can start, except where the log is there already. */
export function showProgress(streams: Streams, host: PluginHost, { settings }: CommonOptions): void {
  if (settings.host.logDir === '-') return
  internalsOf(host).onProgress((plugin, message) => tell(streams, `${plugin}: ${message}`))
}

/** A host with the options of the command line. */
export function createHost(
  { settings }: Pick<CommonOptions, 'settings'>,
  more: HostOptions = {},
): PluginHost {
  return new PluginHost({ ...settings.host, ...more })
}

/**
 * Starts to load what was asked for. Failures are reported on stderr and do not stop the others. One line there tells when
 * all have ended. Where the log goes to stderr, it has the same.
 */
async function beginLoading(
  host: PluginHost,
  streams: Streams,
  settings: Settings,
  readiness: Readiness,
): Promise<{ all: Promise<unknown> }> {
  const isLogged = settings.host.logDir === '-'
  const say = (error: unknown): void => {
    if (!isLogged) complain(streams, describeThrown(error).message)
  }
  const { catalogue, fallbacks, logs, isClosed } = internalsOf(host)
  readiness.starting()
  const all = settings.autoLoad ? await host.list().catch(failed) : []
  const wanted = new Set([
    ...settings.load.keys(),
    ...(all ?? []).flatMap(({ name, fallback }) => (fallback ? [] : [name])),
  ])
  // At a reload, some are loaded already.
  const names = [...wanted].filter((name) => !catalogue.isLoaded(name))
  for (const [name, replicas] of settings.load)
    if (replicas !== undefined && !names.includes(name)) host.scale(name, replicas).catch(say)
  const loads = names.map((name) => {
    const loading = host.load(name, { replicas: settings.load.get(name) })
    readiness.expect(name, loading)
    return loading.catch(say)
  })
  const fresh = settings.fallbacks.filter(({ name }) => !fallbacks.find(name))
  const making = fresh.map(({ name, plugins, settings: how }) => {
    const made = host.fallback(name, plugins, how)
    readiness.expect(name, made)
    return made.catch(say)
  })
  const begun = [...loads, ...making]
  const loaded = Promise.all(begun)
  if (begun.length > 0 || (settings.autoLoad && wanted.size === 0)) void loaded.then(tellReady)
  else await host.discover().catch(() => {})
  readiness.started()
  return { all: loaded }

  function failed(error: unknown): void {
    readiness.failed(error)
    say(error)
  }

  async function tellReady(): Promise<void> {
    if (isClosed()) return
    const failed = (await Promise.all(loads)).filter((handle) => handle === undefined).length
    const members = fresh.flatMap(({ name }) => fallbacks.find(name)?.members ?? [])
    const ofFallbacks = members.flatMap(({ plugin, slot }) => (slot ? [plugin] : []))
    const loaded = new Set([...names, ...ofFallbacks]).size - failed
    const words = readyWords(loaded, failed)
    logs.launcher('INFO', words, { loaded, failed })
    if (!isLogged) tell(streams, words)
  }
}

/** `ready, 3 plugins loaded` */
function readyWords(loaded: number, failed: number): string {
  return `ready, ${loaded} plugin${loaded === 1 ? '' : 's'} loaded${failed > 0 ? `, ${failed} failed` : ''}`
}

/** A folder that was named, and is not there, is a mistake; the default one may come later. */
function warnOfMissingFolders(streams: Streams, { host, holdings }: Settings): void {
  const origin = holdings.find(({ key }) => key === 'pluginsDir')?.origin ?? 'default'
  if (origin === 'default') return
  for (const dir of [host.pluginsDir ?? []].flat())
    if (!existsSync(dir)) complain(streams, `there is no folder ${resolve(dir)}, which ${origin} names`)
}
