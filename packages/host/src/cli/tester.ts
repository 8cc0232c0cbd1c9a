import { once } from 'node:events'
import { describeThrown, systemCodeOf } from '@appfactory/sdk/internal'
import type { PluginHost } from '../host.js'
import type { Tester, TesterOptions } from '../tester/serve.js'
import { openInBrowser } from './browser.js'
import { type CommonOptions, complain, exitCodes, print, type Streams } from './output.js'
import { createHost, showProgress } from './serve.js'
import { UsageError } from './usage-error.js'

/** `appfactory-host tester`: serves the Plugin Tester until it is interrupted. */
export async function tester(streams: Streams, options: CommonOptions & PageOptions): Promise<number> {
  checkPort(options.port)
  const stop = streams.stop.takeOver()
  await using host = createHost(options)
  showProgress(streams, host, options)
  await using server = await startTester(streams, host, options)
  print(
    streams,
    `Plugin Tester: ${server.url}\nThe URL works once, within an hour.${process.stdin.isTTY ? ' Press Enter for another one, Ctrl+C to stop.' : ''}`,
  )
  if (process.stdin.isTTY) process.stdin.on('data', () => print(streams, server.issueUrl()))
  if (!stop.aborted) await once(stop, 'abort')
  process.stdin.destroy()
  return exitCodes.done
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
  host: PluginHost,
  { port, open, configDir }: PageOptions & { configDir: string },
): Promise<StartedTester> {
  const server = await listen(host, { port, configDir })
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
async function listen(host: PluginHost, options: TesterOptions): Promise<Tester> {
  const { serveTester } = await import('../tester/serve.js')
  try {
    return await serveTester(host, options)
  } catch (error) {
    if (systemCodeOf(error) !== 'EADDRINUSE') throw error
    throw new Error(
      `Port ${options.port} is in use; choose another --port, or leave it out for any free port`,
    )
  }
}
