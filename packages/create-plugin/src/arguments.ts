import { version } from 'virtual:versions'
import { closest } from '@appfactory/sdk/wire'
import yargs from 'yargs'
import { flagOf, type Question, questions } from './answers.js'
import { UsageError } from './failures.js'
import type { Given } from './read-answers.js'

export interface Arguments {
  given: Given
  yes: boolean
  dryRun: boolean
  json: boolean
  force: boolean
}

const switches = {
  yes: {
    type: 'boolean',
    alias: 'y',
    default: false,
    describe: 'Take the defaults, and ask only what has none',
  },
  'dry-run': { type: 'boolean', default: false, describe: 'Say what would be written, and write nothing' },
  json: {
    type: 'boolean',
    default: false,
    describe: 'Print JSON: the answers, and each file with its content',
  },
  force: { type: 'boolean', default: false, describe: 'Overwrite planned files that are there; others stay' },
} as const

/** Reads the command line; undefined where it only asked for help or the version, which were printed. */
export async function parseArguments(argv: readonly string[]): Promise<Arguments | undefined> {
  const options = questions.filter(({ key }) => key !== 'name')
  let asked = true
  const parsed = await yargs()
    .scriptName('create-appfactory-plugin')
    .command(
      '$0 [name]',
      'Creates an App Factory plugin that works, with its tests.',
      (command) => command.positional('name', { type: 'string', describe: questions[0]?.describe ?? '' }),
      () => {
        asked = false
      },
    )
    .options(Object.fromEntries(options.map((question) => [flagOf(question.key), optionOf(question)])))
    .options(switches)
    .example('npm create appfactory-plugin@latest my_tts_plugin -- --contract tts --yes', '')
    .example('$0 my_plugin --contract llm --config retries:integer=3 --dry-run', '')
    .epilogue('Exit status: 0 done, 1 failure, 2 bad usage, 130 cancelled.')
    .version(version)
    .help()
    .strict()
    .parserConfiguration({ 'duplicate-arguments-array': true, 'parse-positional-numbers': false })
    .wrap(Math.min(100, process.stdout.columns ?? 80))
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new UsageError(withSuggestion(message))
    })
    .parseAsync([...argv])
  if (asked) return undefined
  const values: Readonly<Record<string, unknown>> = parsed
  return {
    given: givenIn(values),
    yes: values['yes'] === true,
    dryRun: values['dry-run'] === true,
    json: values['json'] === true,
    force: values['force'] === true,
  }
}

function optionOf({ kind, describe, choices }: Question) {
  const values = choices ? ` (${choices.map(({ value }) => value).join(', ')})` : ''
  return kind === 'yes-no'
    ? ({ type: 'boolean', describe } as const)
    : ({ type: 'string', requiresArg: true, describe: `${describe}${values}` } as const)
}

function givenIn(values: Readonly<Record<string, unknown>>): Given {
  const given: Given = {}
  for (const { key, kind } of questions) {
    const value = values[flagOf(key)]
    if (value === undefined) continue
    const texts = [value].flat().map(String)
    if (kind === 'list') given[key] = texts
    else if (texts.length > 1) throw new UsageError(`--${flagOf(key)} may be given only once`)
    else given[key] = kind === 'yes-no' ? value === true : String(value)
  }
  return given
}

/** `Unknown argument: lang` with what may have been meant. */
function withSuggestion(message: string): string {
  const [, words = ''] = /^Unknown arguments?: (.*)$/.exec(message) ?? []
  const known = [...questions.map(({ key }) => flagOf(key)), ...Object.keys(switches)]
  const meant = words
    .split(', ')
    .map((word) => closest(word, known))
    .find((word) => word !== undefined)
  return meant === undefined ? message : `${message}. Did you mean --${meant}?`
}
