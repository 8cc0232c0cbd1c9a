import { once } from 'node:events'
import { describeThrown, systemCodeOf } from '@appfactory/sdk/internal'
import type { PluginSystem } from '../plugin-system.js'
import type { Tester, TesterOptions } from '../tester/serve.js'
import { openInBrowser } from './browser.js'
import { connectCluster, isOfCluster } from './front.js'
import { type CommonOptions, complain, exitCodes, print, type Streams } from './output.js'
import { createHost, showProgress } from './serve.js'
import { UsageError } from './usage-error.js'

/** `appfactory-host tester`: serves the Plugin Tester until it is interrupted. */
export async function tester(streams: Streams, options: CommonOptions & PageOptions): Promise<number> {
  checkPort(options.port)
  const stop = streams.stop.takeOver()
  await using system = await openSystem(streams, options)
  await using server = await startTester(streams, system, options)
  print(
    streams,
    `Plugin Tester: ${server.url}\nThe URL works once, within an hour.${process.stdin.isTTY ? ' Press Enter for another one, Ctrl+C to stop.' : ''}`,
  )
  if (process.stdin.isTTY) process.stdin.on('data', () => print(streams, server.issueUrl()))
  if (!stop.aborted) await once(stop, 'abort')
  process.stdin.destroy()
  return exitCodes.done
}

/** A host whose plugins the page loads, or a cluster. */
async function openSystem(streams: Streams, options: CommonOptions): Promise<PluginSystem & AsyncDisposable> {
  if (isOfCluster(options.settings)) return connectCluster(streams, options)
  const host = createHost(options)
  showProgress(streams, host, options)
  return host
}

/** Options of the command line for the page. */
export interface PageOptions {
  /** 0: any. */
  port: number
  open: boolean
}

/** @throws UsageError if it is not a port. */
export function checkPort(port: number, name = '--port'): void {
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new UsageError(`${name} must be a whole number from 0 to 65535`)
}

interface StartedTester extends AsyncDisposable {
  url: string
  issueUrl(): string
}

/** Serves the page, and opens it on request. */
export async function startTester(
  streams: Streams,
  system: PluginSystem,
  { port, open, configDir }: PageOptions & { configDir: string },
): Promise<StartedTester> {
  const server = await listen(system, { port, configDir })
  const url = server.issueUrl()
  const forget = open ? await tryToOpen(streams, url) : undefined
  return {
    url,
    issueUrl: () => server.issueUrl(),
    [Symbol.asyncDispose]: async () => {
      await server.close()
      await forget?.()
    },
  }
}

/** Without a browser, the printed URL is enough. */
async function tryToOpen(streams: Streams, url: string): Promise<(() => Promise<void>) | undefined> {
  try {
    return await openInBrowser(url)
  } catch (error) {
    complain(streams, `the browser could not be opened: ${describeThrown(error).message}`)
    return undefined
  }
}

/** Loads the HTTP server on demand. */
async function listen(system: PluginSystem, options: TesterOptions): Promise<Tester> {
  const { serveTester } = await import('../tester/serve.js')
  try {
    return await serveTester(system, options)
  } catch (error) {
    if (systemCodeOf(error) !== 'EADDRINUSE') throw error
    throw new Error(
      `Port ${options.port} is in use; choose another --port, or leave it out for any free port`,
    )
  }
}
