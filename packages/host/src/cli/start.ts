import type { Command } from './commands.js'
import { columns, exitCodes, print, printJson, type Streams } from './output.js'
import { type Holding, resolveSettings, type Settings } from './resolve.js'
import type { Setting } from './settings.js'

type Args = Readonly<Record<string, unknown>>

/** Runs a command with the settings that hold for it, or prints them. */
export async function start(
  streams: Streams,
  { run, settings: table, defaults = {} }: Command,
  args: Args,
): Promise<number> {
  if (!table) return run(streams, args as never)
  const readSettings = (): Promise<Settings> =>
    resolveSettings(
      args,
      table.map((setting) => withDefault(setting, defaults)),
    )
  const settings = await readSettings()
  if (args['print-config'] === true) return printSettings(streams, settings.holdings, args['json'] === true)
  const { pluginsDir = args['pluginsDir'], configDir } = settings.host
  // They are what the tables say.
  return run(streams, { ...args, pluginsDir, configDir, settings, readSettings } as never)
}

function withDefault(setting: Setting, defaults: Args): Setting {
  return setting.key in defaults ? { ...setting, default: defaults[setting.key] } : setting
}

/** `--print-config` */
function printSettings(streams: Streams, holdings: readonly Holding[], json: boolean): number {
  if (json)
    printJson(
      streams,
      Object.fromEntries(holdings.map(({ key, value, origin }) => [key, { value: plain(value), origin }])),
    )
  else print(streams, columns([['SETTING', 'VALUE', 'FROM'], ...holdings.map(row)]).join('\n'))
  return exitCodes.done
}

/** JSON has no Infinity and no undefined. */
function plain(value: unknown): unknown {
  return value === Number.POSITIVE_INFINITY ? 'Infinity' : (value ?? null)
}

function row({ key, value, origin }: Holding): string[] {
  const shown = shownValue(value)
  return [key, shown === '' ? '–' : shown, origin]
}

function shownValue(value: unknown): string {
  if (Array.isArray(value)) return value.join(', ')
  if (typeof value !== 'object' || value === null) return String(value ?? '')
  return Object.entries(value)
    .map(([name, each]) => `${name}=${String(each)}`)
    .join(', ')
}
