import { closest } from '@appfactory/sdk/internal'
import { type Command, commands, settingsOptions } from './commands.js'
import { hostSettings } from './settings.js'
import { UsageError } from './usage-error.js'

const commandNames = commands.map(({ name }) => name).filter((name) => name !== '$0')
const flags = [
  ...hostSettings.map(({ flag }) => flag),
  ...Object.keys(settingsOptions),
  ...commands.flatMap(({ options, settings = [] }) => [
    ...Object.keys(options),
    ...settings.map(({ flag }) => flag),
  ]),
  ...['help', 'version'],
]

/** What is wrong with a command line, in our own words; `message` is what yargs says. */
export function usageError(message: string, argv: readonly string[]): UsageError {
  const [, unknown] = /^Unknown (?:arguments?|commands?): (.*)$/.exec(message) ?? []
  if (unknown !== undefined) return new UsageError(unknownWord(unknown.split(', '), argv))
  const [, empty] = /^Not enough arguments following: (.*)$/.exec(message) ?? []
  if (empty !== undefined) return new UsageError(`--${empty} needs a value`)
  const [, given] = /^Not enough non-option arguments: got (\d+)/.exec(message) ?? []
  const command = commands.find(({ name }) => name === argv.find((word) => commandNames.includes(word)))
  if (given !== undefined && command) return new UsageError(missingPlaces(command, Number(given)))
  return new UsageError(message)
}

/** yargs names an option twice: as it was given, and in camelCase. */
function unknownWord(words: readonly string[], argv: readonly string[]): string {
  const isGiven = (word: string): boolean => argv.some((item) => item.replace(/^--?|=.*/gs, '') === word)
  const word = words.find(isGiven) ?? words[0] ?? ''
  const isOption = argv.some((item) => item.startsWith('-') && item.replace(/^--?|=.*/gs, '') === word)
  const command = argv.find((item) => commandNames.includes(item))
  if (isOption && command !== undefined && flags.includes(word))
    return `${command} does not take --${word}. appfactory-host ${command} --help lists what it takes`
  const meant = closest(word, isOption ? flags : commandNames)
  const dashes = word.length === 1 ? '-' : '--'
  const kind = command === undefined ? 'command' : 'argument'
  const what = isOption ? `option ${dashes}${word}` : `${kind} ${word}`
  return `Unknown ${what}${meant === undefined ? '' : `. Did you mean ${isOption ? '--' : ''}${meant}?`}`
}

function missingPlaces({ name, positionals }: Command, given: number): string {
  const places = Object.entries(positionals)
  const [place = '', { describe } = { describe: '' }] = places[given] ?? []
  const usage = places.map(([each]) => `<${each}>`).join(' ')
  return `${name} ${usage}: <${place}> is missing (${lowerFirst(describe)})`
}

/** `a,b` and the flag twice are the same. Undefined: it was not given. */
export function namesIn(given: readonly string[] | undefined): string[] | undefined {
  return given?.flatMap((text) => text.split(',')).map((name) => name.trim())
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1)
}
