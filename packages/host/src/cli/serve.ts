import type { Readable } from 'node:stream'
import { describeThrown } from '@appfactory/sdk/internal'
import { type HostOptions, PluginHost } from '../host.js'
import { serveStdio } from '../server/stdio.js'
import { type CommonOptions, complain, exitCodes, type Streams } from './output.js'

/** `appfactory-host`: serves one client on stdin and stdout. */
export async function serve(
  streams: Streams,
  options: CommonOptions & { autoLoad: boolean; syncMode: boolean },
): Promise<number> {
  const host = createHost(options)
  return serveClient(streams, host, {
    input: process.stdin,
    sequential: options.syncMode,
    // Started before the first request is read: calls wait for plugins that are loading.
    begin: () => (options.autoLoad ? beginLoading(host, streams) : countPlugins(host)),
  })
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
  host: PluginHost,
  { input, sequential, begin }: ServeOptions,
): Promise<number> {
  const stop = streams.stop.takeOver()
  const output = process.stdout
  // Output of a library must not reach the client.
  Object.defineProperty(process, 'stdout', { configurable: true, get: () => process.stderr })
  try {
    await begin()
    streams.flushMs = await serveStdio(host, { input, output, sequential, stop })
  } finally {
    Object.defineProperty(process, 'stdout', { configurable: true, get: () => output })
  }
  return exitCodes.done
}

/** Scans for the counts of `status`. Errors are reported by the requests that need the folders. */
async function countPlugins(host: PluginHost): Promise<void> {
  await host.discover().catch(() => {})
}

/** Without `logDir`, no files are written. */
type HostCommandOptions = Omit<CommonOptions, 'logDir'> & { logDir: string | undefined; traceWire?: string }

/** A host with the options of the command line. */
export function createHost(
  {
    pluginsDir,
    configDir,
    logDir,
    logLevel,
    autoInstallDeps,
    allowInstallScripts,
    traceWire,
  }: HostCommandOptions,
  more: HostOptions = {},
): PluginHost {
  const logs = logDir === undefined ? {} : { logDir }
  const trace = traceWire === undefined ? {} : { traceWire }
  return new PluginHost({
    pluginsDir,
    configDir,
    logLevel,
    autoInstallDependencies: autoInstallDeps,
    allowInstallScripts,
    ...logs,
    ...trace,
    ...more,
  })
}

/** Starts to load all valid plugins. Failures are reported on stderr and do not stop the others. */
async function beginLoading(host: PluginHost, streams: Streams): Promise<void> {
  const say = (error: unknown): void => complain(streams, describeThrown(error).message)
  const plugins = await host.list().catch((error: unknown) => {
    say(error)
    return []
  })
  for (const { name } of plugins) void host.load(name).catch(say)
}
