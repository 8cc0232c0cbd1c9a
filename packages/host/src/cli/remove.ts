import { relative } from 'node:path'
import { removePlugin } from '../plugins/remove.js'
import { type CommonOptions, exitCodes, print, printJson, type Streams } from './output.js'

interface RemoveCommand extends CommonOptions {
  plugin: string
  force: boolean
}

/** `appfactory-host remove NAME`: removes a plugin from its plugins folder. */
export async function remove(streams: Streams, options: RemoveCommand): Promise<number> {
  // What has begun is ended: half a plugin would be left.
  streams.stop.takeOver()
  const { name, path, origin } = await removePlugin(options.pluginsDir, options.plugin, options)
  if (options.json) printJson(streams, { name, path, origin: origin ?? null })
  else print(streams, `${relative(process.cwd(), path)} is removed`)
  return exitCodes.done
}
