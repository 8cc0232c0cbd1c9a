import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { PluginHost } from '../host.js'
import type { Tester, TesterOptions } from '../tester/serve.js'
import { type CommonOptions, exitCodes, print, type Streams } from './output.js'
import { createHost } from './serve.js'
import { UsageError } from './usage-error.js'

/** `appfactory-host tester`: serves the Plugin Tester until it is interrupted. */
export async function tester(
  streams: Streams,
  { port, open, ...options }: CommonOptions & { port: number; open: boolean },
): Promise<number> {
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new UsageError('--port must be a whole number from 0 to 65535')
  await using host = createHost(options)
  const server = await startTester(host, { port, configDir: options.configDir })
  const url = server.issueUrl()
  print(
    streams,
    `Plugin Tester: ${url}\nThe URL works once.${process.stdin.isTTY ? ' Press Enter for another one, Ctrl+C to stop.' : ''}`,
  )
  if (open) openInBrowser(url)
  if (process.stdin.isTTY) process.stdin.on('data', () => print(streams, server.issueUrl()))
  const signal = await Promise.race([
    once(process, 'SIGINT').then(() => 'SIGINT' as const),
    once(process, 'SIGTERM').then(() => 'SIGTERM' as const),
  ])
  process.stdin.destroy()
  await server.close()
  return signal === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated
}

/** Only who wants the page pays for loading an HTTP server. */
export async function startTester(host: PluginHost, options: TesterOptions): Promise<Tester> {
  const { serveTester } = await import('../tester/serve.js')
  try {
    return await serveTester(host, options)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error
    throw new Error(`Port ${options.port} is in use; give another --port, or none for any that is free`)
  }
}

const openers: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  darwin: ['open'],
  win32: ['cmd', '/c', 'start', ''],
}

/** A machine without a browser has the printed URL. */
function openInBrowser(url: string): void {
  const [command = 'xdg-open', ...args] = openers[process.platform] ?? []
  spawn(command, [...args, url], { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref()
}
