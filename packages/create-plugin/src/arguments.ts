import { version } from 'virtual:versions'
import yargs from 'yargs'
import { flagOf, type Question, questions } from './answers.js'
import { UsageError } from './failures.js'
import { meantFlag, switches } from './flags.js'
import type { Given } from './read-answers.js'

export interface Arguments {
  given: Given
  yes: boolean
  dryRun: boolean
  json: boolean
  force: boolean
}

/** Reads the command line; undefined if it only requested help or the version, which were printed. */
export async function parseArguments(argv: readonly string[]): Promise<Arguments | undefined> {
  const options = questions.filter(({ key }) => key !== 'name')
  let asked = true
  const parsed = await yargs()
    .scriptName('create-appfactory-plugin')
    .command(
      '$0 [name]',
      'Creates a working App Factory plugin with tests.',
      (command) => command.positional('name', { type: 'string', describe: questions[0]?.describe ?? '' }),
      () => {
        asked = false
      },
    )
    .options(Object.fromEntries(options.map((question) => [flagOf(question.key), optionOf(question)])))
    .options(switches)
    .example('npm create appfactory-plugin@latest my_tts_plugin -- --contract tts --yes', '')
    .example('$0 my_plugin --contract llm --config retries:integer=3 --dry-run', '')
    .epilogue('Usually a name, --contract and --yes are enough. You can also pass the name as --name.')
    .epilogue('Exit code: 0 success, 1 failure, 2 invalid usage, 130 cancelled.')
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
  const values = choices ? ` (${choices.map(withAlias).join(', ')})` : ''
  return kind === 'yes-no'
    ? ({ type: 'boolean', describe } as const)
    : ({ type: 'string', requiresArg: true, describe: `${describe}${values}` } as const)
}

function withAlias({ value, alias }: { value: string; alias?: string }): string {
  return alias === undefined ? value : `${value} or ${alias}`
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

/** Adds a suggestion to `Unknown argument: lang`. */
function withSuggestion(message: string): string {
  const [, words = ''] = /^Unknown arguments?: (.*)$/.exec(message) ?? []
  const meant = words
    .split(', ')
    .map(meantFlag)
    .find((flag) => flag !== undefined)
  return meant === undefined ? message : `${message}. Did you mean --${meant}?`
}
