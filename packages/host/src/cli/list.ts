import { type Origin, originText, readOrigin } from '../plugins/origin.js'
import { packageVersion } from '../plugins/packages.js'
import { wireSummary } from '../server/wire-form.js'
import type { PluginSummary } from '../summary.js'
import { type CommonOptions, columns, exitCodes, paint, print, printJson, type Streams } from './output.js'
import { createHost } from './serve.js'

/** `appfactory-host list`: all plugins, valid or not. */
export async function list(streams: Streams, options: CommonOptions): Promise<number> {
  await using host = createHost(options)
  const plugins = await host.list({ includeInvalid: true })
  const packages = new Map((await host.discover()).plugins.map((plugin) => [plugin.dir, plugin.package]))
  const origins = await Promise.all(plugins.map(({ path }) => originOf(path, packages.get(path))))
  if (options.json)
    printJson(
      streams,
      plugins.map((plugin, index) => ({ ...wireSummary(plugin), origin: origins[index] ?? null })),
    )
  else if (plugins.length === 0)
    print(streams, `No plugins in ${options.pluginsDir.join(', ')}. Name another folder with --plugins-dir.`)
  else print(streams, table(plugins, origins, streams).join('\n'))
  return exitCodes.done
}

const head = ['NAME', 'VERSION', 'CONTRACT', 'STATE', 'FROM', 'DESCRIPTION']

/** Under a plugin that is not valid stands why. */
function table(
  plugins: readonly PluginSummary[],
  origins: readonly (ListedOrigin | undefined)[],
  { out }: Streams,
): string[] {
  const rows = plugins.map(({ name, version, contract, valid, description }, index) => [
    ...[name, version ?? '–', contract ?? '–'],
    ...[valid ? 'valid' : 'invalid', textOf(origins[index]), description ?? ''],
  ])
  const [first = '', ...lines] = columns([head, ...rows])
  const at = first.indexOf('STATE')
  return [
    paint(out, 'dim', first),
    ...plugins.flatMap(({ valid, errors }, index) => {
      const line = lines[index] ?? ''
      if (valid) return [line]
      const state = paint(out, 'red', 'invalid')
      const marked = line.slice(0, at) + state + line.slice(at + 'invalid'.length)
      return [marked, ...errors.map((error) => `    ${error}`)]
    }),
  ]
}

/** A dependency of the project is where npm has put it; npm knows the rest. */
type ListedOrigin = Origin | { package: string; version: string }

/** Where a plugin came from; undefined where nobody knows. */
async function originOf(path: string, packageName: string | undefined): Promise<ListedOrigin | undefined> {
  if (packageName === undefined) return readOrigin(path)
  return { package: packageName, version: (await packageVersion(path)) ?? 'unknown' }
}

function textOf(origin: ListedOrigin | undefined): string {
  return origin === undefined ? '–' : originText(origin)
}
