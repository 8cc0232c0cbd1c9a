import type { IncomingCall } from '@appfactory/sdk/internal'
import { manifestInvalid } from '../errors.js'
import type { Served } from '../server/served.js'
import type { CheckReport } from './messages.js'

export interface ChecksPlan {
  plugin: string
  /** Ids, with `*` for any text. Default: all. */
  only?: string[] | undefined
  config?: Record<string, unknown> | undefined
  /** Folder of `<plugin>.json` files. */
  configDir?: string | undefined
}

/** Runs the checks of a plugin's contract, in separate processes; emits the start and end of each. */
export async function runPluginChecks(
  served: Served,
  { plugin, only, config = {}, configDir }: ChecksPlan,
  call: IncomingCall,
): Promise<unknown> {
  const { path, valid, errors } = await served.summary(plugin)
  if (!valid) throw manifestInvalid(plugin, path, errors)
  // Loaded on demand, so that the page is ready sooner.
  const { runChecks } = await import('@appfactory/sdk/testing')
  const { pluginTarget } = await import('../testing.js')
  const stopping = new AbortController()
  call.addListener(() => stopping.abort())
  const pieces = call.openStream(Number.POSITIVE_INFINITY)
  // Closing the page cancels the run.
  const tell = (piece: CheckReport): void => void pieces.send(piece).catch(() => {})
  const { passed, failed, skipped, blocked, durationMs } = await runChecks({
    target: pluginTarget(path, {
      ...(configDir === undefined ? {} : { configDir }),
      signal: stopping.signal,
    }),
    config,
    signal: stopping.signal,
    ...(only ? { only } : {}),
    onStart: ({ id, title }) => tell({ id, title, status: 'running' }),
    onResult: ({ id, title, status, reason = null, durationMs: ms }) =>
      tell({ id, title, status, reason, duration_ms: ms }),
  })
  return { passed, failed, skipped, blocked, duration_ms: durationMs }
}
