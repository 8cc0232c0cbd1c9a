import { isDeepStrictEqual } from 'node:util'
import { listed } from '@appfactory/sdk/internal'
import { reasonOf } from '../errors.js'
import { internalsOf, type PluginHost, type ReloadResult } from '../host.js'
import { complain, type Streams, tell } from './output.js'
import type { Settings } from './resolve.js'

interface ReloadOptions {
  host: PluginHost
  /** Those that the host was started with. */
  settings: Settings
  readSettings(): Promise<Settings>
  /** Reads what the command has besides, before anything of it is taken. */
  readMore: (() => Promise<void>) | undefined
  /** Starts to load what is not loaded. */
  load(settings: Settings): Promise<void>
}

/** Settings that a running host takes; `plugins.…` too. */
const taken = ['logLevel', 'load', 'autoLoad']

/** SIGHUP: reads the configuration again. A file that is wrong changes nothing, and is reported. */
export async function reload(streams: Streams, options: ReloadOptions): Promise<void> {
  const { host, settings, readSettings, readMore, load } = options
  const { logs } = internalsOf(host)
  const isLogged = settings.host.logDir === '-'
  try {
    const fresh = await readSettings()
    await readMore?.()
    const { plugins = {}, logLevel = 'INFO' } = fresh.host
    const result = await host.reload({ plugins, logLevel })
    const needRestart = changedSince(settings, fresh)
    const words = reloadWords(result, needRestart)
    logs.launcher(result.failed.length > 0 ? 'ERROR' : 'INFO', words)
    if (!isLogged) tell(streams, words)
    await load(fresh)
  } catch (error) {
    const words = `the configuration was not read again, nothing has changed: ${reasonOf(error)}`
    logs.launcher('ERROR', words)
    if (!isLogged) complain(streams, words)
  }
}

/** The keys of settings that are other ones than the host was started with, and that it takes only at its start. */
function changedSince({ holdings }: Settings, fresh: Settings): string[] {
  const before = new Map(holdings.map(({ key, value }) => [key, value]))
  return fresh.holdings
    .filter(({ key }) => before.has(key) && !taken.includes(key) && !key.startsWith('plugins.'))
    .filter(({ key, value }) => !isDeepStrictEqual(value, before.get(key)))
    .map(({ key }) => key)
}

/** `configuration read again: tts_flite swapped, 2 plugins unchanged; callTimeoutMs needs a restart of the host` */
function reloadWords({ swapped, unchanged, failed }: ReloadResult, needRestart: readonly string[]): string {
  const parts = [
    ...(swapped.length > 0 ? [`${listed(swapped)} swapped`] : []),
    `${unchanged.length} plugin${unchanged.length === 1 ? '' : 's'} unchanged`,
    ...failed.map(({ plugin, error }) => `${plugin} runs as before: ${reasonOf(error)}`),
  ]
  const rest =
    needRestart.length > 0
      ? `; ${listed(needRestart)} ${needRestart.length === 1 ? 'needs' : 'need'} a restart of the host`
      : ''
  return `configuration read again: ${parts.join(', ')}${rest}`
}
