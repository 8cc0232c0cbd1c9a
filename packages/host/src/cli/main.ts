import { closest, describeThrown, maxTimerMs } from '@appfactory/sdk/internal'
import yargs, { type Argv } from 'yargs'
import { logLevels } from '../logs/logs.js'
import { hostVersion } from '../version.js'
import { call } from './call.js'
import { dev } from './dev.js'
import { list } from './list.js'
import { complain, exitCodes, fail, isReaderGone, type Streams } from './output.js'
import { serve } from './serve.js'
import { StopSignals } from './stop-signals.js'
import { tester } from './tester.js'
import { UsageError } from './usage-error.js'
import { validate } from './validate.js'

/** Runs `appfactory-host` and sets the exit code of the process. */
export async function main(argv: readonly string[]): Promise<void> {
  const streams = openStreams()
  const { out, gone, stop } = streams
  // Node would open its debugger: a plugin, whatever its permissions, could run code in the host.
  process.on('SIGUSR1', () => {})
  process.exitCode = await run(argv, streams)
  stop.release()
  const timer = streams.flushMs <= maxTimerMs ? setTimeout(leave, streams.flushMs) : undefined
  // Open handles of plugins and pipes must not keep the command alive, but pending output must arrive.
  // An error of the last write is emitted just after this callback.
  out.write('', () => setImmediate(leave))

  function leave(): void {
    clearTimeout(timer)
    if (gone.aborted && !isReaderGone(gone.reason)) {
      complain(streams, `stdout can’t be written: ${describeThrown(gone.reason).message}`)
      process.exitCode ||= exitCodes.failure
    }
    process.exit()
  }
}

function openStreams(): Streams {
  const gone = new AbortController()
  const stop = new StopSignals()
  stop.listen()
  process.stdout.on('error', (error) => gone.abort(error))
  // Nowhere is left to report it.
  process.stderr.on('error', () => {})
  return {
    ...{ out: process.stdout, error: process.stderr },
    ...{ gone: gone.signal, stop, flushMs: Number.POSITIVE_INFINITY },
  }
}

async function run(argv: readonly string[], streams: Streams): Promise<number> {
  let status: number = exitCodes.done
  const settle = async (work: Promise<number>): Promise<void> => {
    status = await work
  }
  try {
    await commands(streams, settle).parseAsync([...argv])
  } catch (error) {
    // After a signal, failures of interrupted work are expected.
    return streams.stop.status ?? fail(streams, error, argv.includes('--json'))
  }
  return streams.stop.status ?? status
}

const commandNames = ['dev', 'list', 'validate', 'call', 'test', 'manifest', 'tester']
const optionNames = [
  'plugins-dir',
  'config-dir',
  'log-dir',
  'log-level',
  'auto-install-deps',
  'allow-install-scripts',
  'auto-load',
  'sync-mode',
  'args',
  'file',
  'config',
  'out',
  'timeout',
  'port',
  'open',
  'tester',
  'json',
  'samples',
  'only',
  'junit',
  'check',
  'help',
  'version',
]

const syncMode = {
  type: 'boolean',
  default: false,
  describe: 'Process requests one at a time, in order',
} as const

/** Rejects options that were given twice: yargs makes an array of them. */
function onlyOnce(args: Record<string, unknown>): true {
  for (const name of [
    'config-dir',
    'log-dir',
    'log-level',
    'args',
    'config',
    'out',
    'timeout',
    'samples',
    'junit',
    'port',
  ]) {
    if (Array.isArray(args[name])) throw new UsageError(`--${name} may be given only once`)
  }
  return true
}

/** Adds a suggestion to `Unknown argument: lisst`. */
function withSuggestion(message: string, known: readonly string[]): string {
  const [, words = ''] = /^Unknown arguments?: (.*)$/.exec(message) ?? []
  const meant = words
    .split(', ')
    .map((word) => closest(word, known))
    .find((word) => word !== undefined)
  if (meant === undefined) return message
  return `${message}. Did you mean ${commandNames.includes(meant) ? meant : `--${meant}`}?`
}

function commands(streams: Streams, settle: (work: Promise<number>) => Promise<void>): Argv {
  return yargs()
    .scriptName('appfactory-host')
    .usage(
      '$0 [options]\n\nServes plugins to one client: JSON-RPC 2.0, one message a line, on stdin and stdout.',
    )
    .options({
      'plugins-dir': {
        type: 'string',
        default: './plugins',
        requiresArg: true,
        coerce: repeatable,
        describe: 'Folder of plugins (repeatable)',
      },
      'config-dir': {
        type: 'string',
        default: './config',
        requiresArg: true,
        describe: 'Folder of <plugin>.json configurations',
      },
      'log-dir': {
        type: 'string',
        default: './logs',
        requiresArg: true,
        describe: 'Folder of plugins.log and launcher.log',
      },
      'log-level': {
        choices: logLevels,
        default: 'INFO',
        requiresArg: true,
        describe: 'Minimum log level',
      },
      'auto-install-deps': {
        type: 'boolean',
        default: false,
        describe: 'Install missing npm packages of plugins, without running any of their code',
      },
      'allow-install-scripts': {
        type: 'boolean',
        default: false,
        describe: 'Also run their install scripts, which no permission limits',
      },
    } as const)
    .command(
      '$0',
      false,
      (command) =>
        command.options({
          'auto-load': { type: 'boolean', default: false, describe: 'Load all valid plugins at start-up' },
          'sync-mode': syncMode,
        } as const),
      (args) => settle(serve(streams, args as never)),
    )
    .command(
      'dev [dir]',
      'Serve the plugin in a folder, or a folder of plugins, and reload on every save',
      (command) =>
        command.positional('dir', { type: 'string', default: '.', describe: 'Folder' }).options({
          // The folder is the positional argument.
          'plugins-dir': { type: 'string', default: undefined, requiresArg: true, hidden: true },
          // Otherwise, logs would be written into the plugin's folder.
          'log-dir': {
            type: 'string',
            default: undefined,
            requiresArg: true,
            describe: 'Folder of plugins.log and launcher.log [default: none]',
          },
          'sync-mode': syncMode,
          tester: { type: 'boolean', default: false, describe: 'Serve the Plugin Tester too' },
          port: { type: 'number', requiresArg: true, describe: 'Its port on 127.0.0.1 [default: any]' },
          open: { type: 'boolean', default: false, describe: 'Open its page in the browser' },
          json: { type: 'boolean', default: false, describe: 'Print events as JSON lines on stderr' },
        } as const),
      (args) => settle(dev(streams, args as never)),
    )
    .command(
      'list',
      'List all plugins',
      (command) =>
        command.options({ json: { type: 'boolean', default: false, describe: 'Print JSON' } } as const),
      (args) => settle(list(streams, args as never)),
    )
    .command(
      'validate <dir>',
      'Check the plugin in a folder, or all plugins in a folder of plugins',
      (command) =>
        command
          .positional('dir', { type: 'string', demandOption: true, describe: 'Folder' })
          .options({ json: { type: 'boolean', default: false, describe: 'Print JSON' } } as const),
      (args) => settle(validate(streams, args as never)),
    )
    .command(
      'call <plugin> <method>',
      'Load a plugin, call one method and print the result',
      (command) =>
        command
          .positional('plugin', { type: 'string', demandOption: true, describe: 'Name of the plugin' })
          .positional('method', {
            type: 'string',
            demandOption: true,
            describe: 'Wire name of the method: get_voices',
          })
          .options({
            args: { type: 'string', requiresArg: true, describe: 'Arguments as a JSON object' },
            file: {
              type: 'string',
              requiresArg: true,
              coerce: repeatable,
              describe: 'ARG=PATH: the bytes of a file as an argument, such as audio=hello.wav (repeatable)',
            },
            config: { type: 'string', requiresArg: true, describe: 'Configuration as a JSON object' },
            out: {
              type: 'string',
              requiresArg: true,
              describe: 'File for the bytes of the result, or for the result as JSON',
            },
            timeout: { type: 'number', requiresArg: true, describe: 'Longest time of the call, in ms' },
            json: { type: 'boolean', default: false, describe: 'Print JSON' },
          } as const),
      (args) => settle(call(streams, args as never)),
    )
    .command(
      'test <dir>',
      'Check the plugin in a folder against its contract',
      (command) =>
        command
          .positional('dir', { type: 'string', demandOption: true, describe: 'Folder of the plugin' })
          .options({
            only: {
              type: 'string',
              requiresArg: true,
              coerce: repeatable,
              describe: 'Id of a check to run, with * for any text: "tts.*" (repeatable)',
            },
            config: { type: 'string', requiresArg: true, describe: 'Configuration as a JSON object' },
            samples: {
              type: 'string',
              requiresArg: true,
              describe: 'JSON file with arguments for the methods: {"synthesize": {"text": "Hello"}}',
            },
            timeout: {
              type: 'number',
              requiresArg: true,
              describe: 'Longest time of one call, in ms [default: 30000]',
            },
            junit: { type: 'string', requiresArg: true, describe: 'File for a JUnit XML report' },
            json: { type: 'boolean', default: false, describe: 'Print JSON' },
          } as const),
      // Loaded on demand: a serving host does not need the checks.
      (args) => settle(import('./test.js').then(({ test }) => test(streams, args as never))),
    )
    .command(
      'manifest <dir>',
      'Write config_schema to the manifest from the Zod schema in the plugin’s code',
      (command) =>
        command
          .positional('dir', { type: 'string', demandOption: true, describe: 'Folder of the plugin' })
          .options({
            check: {
              type: 'boolean',
              default: false,
              describe: 'Write nothing; exit with 1 if the manifest is out of date',
            },
            json: { type: 'boolean', default: false, describe: 'Print JSON' },
          } as const),
      (args) => settle(import('./manifest.js').then(({ manifest }) => manifest(streams, args as never))),
    )
    .command(
      'tester',
      'Serve the Plugin Tester: a local web page to call, monitor and load-test plugins',
      (command) =>
        command.options({
          port: { type: 'number', default: 0, requiresArg: true, describe: 'Port on 127.0.0.1; 0: any' },
          open: { type: 'boolean', default: false, describe: 'Open the page in the browser' },
        } as const),
      (args) => settle(tester(streams, args as never)),
    )
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
      throw error ?? new UsageError(withSuggestion(message, [...commandNames, ...optionNames]))
    })
}

/** An option that may be given more than once. (`array` would let it stand without an argument.) */
function repeatable(given: string | string[] | undefined): string[] | undefined {
  return given === undefined ? undefined : [given].flat()
}
