import { wireSummary } from '../server/wire-form.js'
import type { PluginSummary } from '../summary.js'
import { type CommonOptions, exitCodes, paint, print, printJson, type Streams } from './output.js'
import { createHost } from './serve.js'

/** `appfactory-host list`: all plugins, valid or not. */
export async function list(streams: Streams, options: CommonOptions): Promise<number> {
  await using host = createHost({ ...options, logDir: undefined })
  const plugins = await host.list({ includeInvalid: true })
  if (options.json) printJson(streams, plugins.map(wireSummary))
  else if (plugins.length === 0)
    print(streams, `No plugins in ${options.pluginsDir.join(', ')}. Name another folder with --plugins-dir.`)
  else for (const line of table(plugins, streams)) print(streams, line)
  return exitCodes.done
}

function table(plugins: readonly PluginSummary[], { out }: Streams): string[] {
  const rows = plugins.map(({ name, version, contract, description }) => [
    name,
    version ?? '–',
    contract ?? '–',
    description ?? '',
  ])
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return plugins.flatMap(({ valid, errors }, index) => {
    const line = (rows[index] ?? [])
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
    return valid
      ? [line]
      : [`${line} ${paint(out, 'red', 'invalid')}`.trim(), ...errors.map((error) => `    ${error}`)]
  })
}
