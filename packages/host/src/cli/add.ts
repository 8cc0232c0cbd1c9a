import { relative } from 'node:path'
import { defaultInstanceLimits } from '../options.js'
import { addPlugin } from '../plugins/add.js'
import {
  type CommonOptions,
  exitCodes,
  isTerminal,
  paint,
  print,
  printJson,
  type Streams,
  write,
} from './output.js'
import { UsageError } from './usage-error.js'

interface AddCommand extends CommonOptions {
  package: string
  force: boolean
}

/** `appfactory-host add PACKAGE`: puts an npm package, a folder or a tarball into the plugins folder. */
export async function add(streams: Streams, options: AddCommand): Promise<number> {
  const [dir = '', ...others] = options.pluginsDir
  if (others.length > 0) throw new UsageError('add takes one --plugins-dir: the folder that gets the plugin')
  const { allowInstallScripts = false, installTimeoutMs = defaultInstanceLimits.installTimeoutMs } =
    options.settings.host
  const added = await addPlugin(options.package, {
    dir,
    force: options.force,
    allowScripts: allowInstallScripts,
    timeoutMs: installTimeoutMs,
    signal: streams.stop.takeOver(),
    onStep: (step) => progress(streams, options.json, step),
  })
  const { manifest, path, origin, replaced } = added
  const { name, version, contract } = manifest
  if (options.json) printJson(streams, { name, version, contract, path, replaced, origin })
  else print(streams, `${name} ${version} (${contract}) is in ${relative(process.cwd(), path)}`)
  return exitCodes.done
}

/** Npm may take a minute: somebody at a terminal sees that it does something. */
function progress({ error: stderr }: Streams, isQuiet: boolean, step: string): void {
  if (!isQuiet && isTerminal(stderr)) write(stderr, `${paint(stderr, 'dim', `${step}…`)}\n`)
}
