import { resolve } from 'node:path'
import { aborted } from '../waiting.js'
import { startSystem } from './front.js'
import { type CommonOptions, exitCodes, print, type Streams } from './output.js'
import { UsageError } from './usage-error.js'

/** What `serve --listen` takes. */
export interface ListenOptions {
  listen: string
  rights?: string
  maxCallers?: number
}

/** `appfactory-host serve --listen PATH`: serves any number of callers until it is interrupted, or one with the right ends it. */
export async function serveCallers(
  streams: Streams,
  options: CommonOptions & ListenOptions,
): Promise<number> {
  const { rights = 'call', maxCallers } = options
  if (rights !== 'call' && rights !== 'all') throw new UsageError(`--rights takes call or all, not ${rights}`)
  if (options.listen === '') throw new UsageError('--listen takes the path of a socket')
  if (options.settings.cluster['node'] !== undefined)
    throw new UsageError('--listen and --node are two ways to serve: give one of them')
  const path = process.platform === 'win32' ? options.listen : resolve(options.listen)
  const { serveSocket } = await import('../server/socket.js')
  const stop = streams.stop.takeOver()
  await using serving = await startSystem(streams, options)
  let timeoutMs: number | undefined
  const ended = new AbortController()
  const onShutDown = (ms: number): void => {
    timeoutMs = ms
    ended.abort()
  }
  const socket = await serveSocket(serving.host, {
    ...{ path, rights, onShutDown },
    ...(maxCallers === undefined ? {} : { maxCallers }),
  }).catch((error: unknown) => {
    throw error instanceof TypeError ? new UsageError(`--max-callers: ${error.message}`) : error
  })
  // Calls wait for plugins that are loading.
  await serving.load()
  print(streams, `Listening: ${path}`)
  await Promise.race([aborted(stop), aborted(ended.signal)])
  await socket.close(timeoutMs)
  return exitCodes.done
}
