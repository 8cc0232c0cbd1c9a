import { closest } from '@appfactory/sdk/internal'
import yargs, { type Argv, type Options as YargsOptions } from 'yargs'
import { hostVersion } from '../version.js'
import { type Command, commands, commonOptions, type Option, type Options } from './commands.js'
import type { Streams } from './output.js'
import { UsageError } from './usage-error.js'

const commandNames = commands.map(({ name }) => name).filter((name) => name !== '$0')
const allOptions = new Map(
  [commonOptions, ...commands.map(({ options }) => options)].flatMap((options) => Object.entries(options)),
)
const knownWords = [...commandNames, ...allOptions.keys(), 'help', 'version']
const single = [...allOptions]
  .filter(([, { kind }]) => kind !== 'flag' && kind !== 'list')
  .map(([name]) => name)

/** The parser of the command line, made from the table of commands. `settle` gets the exit code of the one that runs. */
export function createParser(streams: Streams, settle: (work: Promise<number>) => Promise<void>): Argv {
  const parser = yargs()
    .scriptName('appfactory-host')
    .usage(
      '$0 [options]\n\nServes plugins to one client: JSON-RPC 2.0, one message a line, on stdin and stdout.',
    )
    .options(yargsOptions(commonOptions))
  for (const command of commands)
    parser.command({
      command: usageOf(command),
      describe: command.description ?? false,
      builder: (subparser) => declare(subparser, command),
      // They are what the table says.
      handler: (args) => settle(command.run(streams, args as never)),
    })
  return parser
    .example('$0 --sync-mode --plugins-dir plugins', 'Serve the plugins in ./plugins')
    .example('$0 dev my_tts', 'Serve my_tts from its source, and reload it on every save')
    .example('$0 call my_tts synthesize --args \'{"text":"Hello"}\' --out hello.wav', 'Speak into a file')
    .epilogue(
      'Exit code: 0 success, 1 failure, 2 invalid usage; 129, 130 and 143 on SIGHUP, SIGINT and SIGTERM.',
    )
    .version(hostVersion)
    .help()
    .strict()
    .check(onlyOnce)
    .wrap(Math.min(100, process.stdout.columns ?? 80))
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new UsageError(withSuggestion(message))
    })
}

/** `call <plugin> <method>` */
function usageOf({ name, positionals }: Command): string {
  const places = Object.entries(positionals).map(([place, { default: preset }]) =>
    preset === undefined ? `<${place}>` : `[${place}]`,
  )
  return [name, ...places].join(' ')
}

function declare(parser: Argv, { positionals, options }: Command): Argv {
  for (const [place, { describe, default: preset }] of Object.entries(positionals)) {
    const need = preset === undefined ? { demandOption: true } : { default: preset }
    parser.positional(place, { type: 'string', describe, ...need })
  }
  return parser.options(yargsOptions(options))
}

function yargsOptions(options: Options): Record<string, YargsOptions> {
  return Object.fromEntries(Object.entries(options).map(([name, option]) => [name, yargsOption(option)]))
}

function yargsOption(option: Option): YargsOptions {
  const { kind, describe } = option
  const help = describe === undefined ? { hidden: true } : { describe }
  if (kind === 'flag') return { type: 'boolean', default: false, ...help }
  // An option of one command may take back the default of all.
  const preset = 'default' in option ? { default: option.default } : {}
  const value = { requiresArg: true, ...preset, ...help }
  if (kind === 'choice') return { choices: option.choices ?? [], ...value }
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

/** Adds a suggestion to `Unknown argument: lisst`. */
function withSuggestion(message: string): string {
  const [, words = ''] = /^Unknown arguments?: (.*)$/.exec(message) ?? []
  const meant = words
    .split(', ')
    .map((word) => closest(word, knownWords))
    .find((word) => word !== undefined)
  if (meant === undefined) return message
  return `${message}. Did you mean ${commandNames.includes(meant) ? meant : `--${meant}`}?`
}
