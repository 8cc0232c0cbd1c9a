import yargs, { type Argv, type Options as YargsOptions } from 'yargs'
import { hostVersion } from '../version.js'
import { clusterSettings } from './cluster-settings.js'
import { type Command, commands, type Option, type Options, settingsOptions } from './commands.js'
import { gatewaySettings } from './gateway-settings.js'
import type { Streams } from './output.js'
import { hostSettings, loadSettings, type Setting } from './settings.js'
import { UsageError } from './usage-error.js'
import { usageError } from './words.js'

const single = [
  ...[settingsOptions, ...commands.map(({ options }) => options)].flatMap((options) =>
    Object.entries(options).filter(([, { kind }]) => kind !== 'flag' && kind !== 'list'),
  ),
  ...[...hostSettings, ...loadSettings, ...gatewaySettings, ...clusterSettings]
    .filter(({ kind }) => kind === 'text' || kind === 'number')
    .map((setting) => [setting.flag]),
].map(([name]) => String(name))

/** Options of every command with settings, wherever they stand on the command line. */
const globals = { ...optionsOf(hostSettings), ...yargsOptions(settingsOptions) }

/** The parser of the command line, made from the table of commands. `settle` gets the exit code of the one that runs. */
export function createParser(
  streams: Streams,
  argv: readonly string[],
  settle: (work: Promise<number>) => Promise<void>,
): Argv {
  const parser = yargs()
    .scriptName('appfactory-host')
    .usage(
      '$0 [options]\n\nServes plugins to one client: JSON-RPC 2.0, one message a line, on stdin and stdout.',
    )
    .options(globals)
  for (const command of commands)
    parser.command({
      command: usageOf(command),
      describe: command.description ?? false,
      builder: (subparser) => declare(subparser, command),
      handler: (args) => settle(runCommand(streams, command, args)),
    })
  return parser
    .example('$0 --sync-mode --plugins-dir plugins', 'Serve the plugins in ./plugins')
    .example('$0 dev my_tts', 'Serve my_tts from its source, and reload it on every save')
    .example('$0 call my_tts synthesize --args \'{"text":"Hello"}\' --out hello.wav', 'Speak into a file')
    .example('$0 --nats nats://127.0.0.1:4222 --namespace voice', 'The same protocol, in front of a cluster')
    .example('$0 swap my_tts --nats nats://127.0.0.1:4222 --namespace voice', 'Replace it on node after node')
    .epilogue(
      'Every setting is also a key of appfactory.config.json; --print-config shows the keys.\n' +
        'Exit code: 0 success, 1 failure, 2 invalid usage; 129, 130 and 143 on SIGHUP, SIGINT and SIGTERM. ' +
        'To a server of stdin, SIGHUP means: read the configuration again.',
    )
    .version(hostVersion)
    .alias('version', 'v')
    .help()
    .alias('help', 'h')
    .strict()
    .check(onlyOnce)
    .wrap(Math.min(100, process.stdout.columns ?? 80))
    .exitProcess(false)
    .fail((message, error) => {
      // yargs throws some of its own, and words the others.
      const isOfYargs = error === undefined || error.name === 'YError'
      throw isOfYargs ? usageError(error?.message ?? message, argv) : error
    })
}

/** Makes of `--inspect=NAME` and the like what yargs can read: a flag has no value there. */
export function splitNames(argv: readonly string[]): string[] {
  return argv.flatMap((argument) => {
    const [, flag, name = ''] = /^(--inspect(?:-brk)?|--debug-python)=(.*)$/s.exec(argument) ?? []
    return flag === undefined || name === 'true' || name === 'false'
      ? [argument]
      : [flag, `--inspect-plugin=${name}`]
  })
}

/** Loads what reads settings on demand. */
async function runCommand(
  streams: Streams,
  command: Command,
  args: Readonly<Record<string, unknown>>,
): Promise<number> {
  return (await import('./start.js')).start(streams, command, args)
}

/** `call <plugin> <method>` */
function usageOf({ name, positionals }: Command): string {
  const places = Object.entries(positionals).map(([place, { default: preset }]) =>
    preset === undefined ? `<${place}>` : `[${place}]`,
  )
  return [name, ...places].join(' ')
}

function declare(parser: Argv, { positionals, options, settings, defaults }: Command): Argv {
  for (const [place, { describe, default: preset }] of Object.entries(positionals)) {
    const need = preset === undefined ? { demandOption: true } : { default: preset }
    parser.positional(place, { type: 'string', describe, ...need })
  }
  const own = settings?.filter(({ flag, key }) => !(flag in globals) || key in (defaults ?? {})) ?? []
  const used = new Set(settings ? [...settings.map(({ flag }) => flag), ...Object.keys(settingsOptions)] : [])
  // What means nothing for the command is not in its help.
  for (const name of Object.keys(globals)) if (!used.has(name)) parser.hide(name)
  return parser.options({ ...optionsOf(own, defaults), ...yargsOptions(options) })
}

function optionsOf(
  settings: readonly Setting[],
  defaults: Readonly<Record<string, unknown>> = {},
): Record<string, YargsOptions> {
  return Object.fromEntries(settings.map((setting) => [setting.flag, settingOption(setting, defaults)]))
}

/** Without a default of yargs: whether it was given decides where its value comes from. */
function settingOption(
  { key, kind, describe, default: preset, isLimit }: Setting,
  defaults: Readonly<Record<string, unknown>>,
): YargsOptions {
  const shown = key in defaults ? 'none' : shownDefault(preset)
  const help = {
    describe,
    ...(shown === undefined ? {} : { defaultDescription: shown }),
    group: isLimit ? 'Limits (times in ms, sizes in bytes; Infinity: none):' : 'Options:',
  }
  if (kind === 'flag') return { type: 'boolean', ...help }
  // yargs would name a wrong number NaN: `resolveSettings` reads them.
  if (kind === 'number') return { requiresArg: true, ...help }
  const isRepeatable = kind === 'list' || kind === 'map'
  return { type: 'string', requiresArg: true, ...(isRepeatable ? { coerce: listOf } : {}), ...help }
}

function shownDefault(preset: unknown): string | undefined {
  const text = [preset].flat().join(', ')
  return text === '' || text === 'false' ? undefined : text
}

function yargsOptions(options: Options): Record<string, YargsOptions> {
  return Object.fromEntries(Object.entries(options).map(([name, option]) => [name, yargsOption(option)]))
}

function yargsOption(option: Option): YargsOptions {
  const { kind, describe } = option
  const help = describe === undefined ? { hidden: true } : { describe }
  if (kind === 'flag') return { type: 'boolean', default: false, ...help }
  const preset = 'default' in option ? { default: option.default } : {}
  const value = { requiresArg: true, ...preset, ...help }
  if (kind === 'number') return { type: 'number', ...value }
  // `array` would let a list stand without an argument.
  return { type: 'string', ...(kind === 'list' ? { coerce: listOf } : {}), ...value }
}

function listOf(given: string | string[] | undefined): string[] | undefined {
  return given === undefined ? undefined : [given].flat()
}

/** Rejects options that were given twice: yargs makes an array of them. */
function onlyOnce(args: Record<string, unknown>): true {
  const twice = single.find((name) => Array.isArray(args[name]))
  if (twice !== undefined) throw new UsageError(`--${twice} may be given only once`)
  return true
}
