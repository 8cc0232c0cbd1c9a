import { flagOf, type Question, questions } from './answers.js'
import { quote } from './command-line.js'
import { UsageError } from './failures.js'
import { meantFlag, switches } from './flags.js'

type Environment = Readonly<Record<string, string | undefined>>

/** Flags that are on or off. npm has them too, except `install`. */
const booleanFlags = [
  ...Object.keys(switches).filter((flag) => flag !== 'yes'),
  ...questions.filter(({ kind }) => kind === 'yes-no').map(({ key }) => flagOf(key)),
]
const textFlags = questions.filter(({ kind }) => kind !== 'yes-no').map(({ key }) => flagOf(key))

/**
 * Without `--`, npm consumes the flags of `npm create appfactory-plugin x --dry-run`, and `x` would be written. The flags
 * that it consumed are in its environment.
 *
 * @throws UsageError with the intended command.
 */
export function refuseSwallowedFlags(
  argv: readonly string[],
  environment: Environment,
  platform: NodeJS.Platform,
): void {
  if (environment['npm_lifecycle_event'] !== 'npx') return
  const kept = flagsKept(argv, environment)
  if (kept.length === 0) return
  const command = meantCommand(argv, kept, environment, platform)
  const taken = kept.map(({ typed }) => `--${typed}`).join(', ')
  throw new UsageError(
    `npm consumed ${taken}. Put this command's flags after "--":\n\n  ${command}\n${settingNote(kept)}`,
    [],
    { complete: true },
  )
}

/** Whether npm consumed `--yes`, or its configuration sets it: both look the same. */
export function tookYes(argv: readonly string[], environment: Environment): boolean {
  if (environment['npm_lifecycle_event'] !== 'npx' || environment['npm_config_yes'] !== 'true') return false
  return !isSaid(argv, 'yes') && !argv.includes('-y')
}

/** A hint for flags that npm's own configuration may have set. */
function settingNote(kept: readonly Kept[]): string {
  const both = kept.filter(({ flag }) => booleanFlags.includes(flag) && flag !== 'install')
  if (both.length === 0) return ''
  const answers = both.map(({ flag }) => `--no-${flag}`).join(' ')
  return `\nIf npm's own configuration sets it, add ${answers} after the "--".\n`
}

interface Kept {
  flag: string
  /** As it was typed, which may be a synonym. */
  typed: string
  /** Undefined if npm left the value among the other words. */
  value: string | undefined
}

function flagsKept(argv: readonly string[], environment: Environment): Kept[] {
  const prefix = 'npm_config_'
  const kept = Object.entries(environment).flatMap(([key, value]) =>
    key.startsWith(prefix) && value !== undefined
      ? keptAs(key.slice(prefix.length).replaceAll('_', '-'), value)
      : [],
  )
  const order = [...textFlags, ...booleanFlags]
  return kept
    .filter(({ flag }) => !isSaid(argv, flag))
    .sort((one, other) => order.indexOf(one.flag) - order.indexOf(other.flag))
}

/** Old settings of npm that resemble flags of this command; one may be a secret, which no message may show. */
const notOurs: ReadonlySet<string> = new Set(['auth', 'gid'])

/** The flag of this command that a variable of npm's environment stands for, if any. */
function keptAs(typed: string, value: string): Kept[] {
  const [flag = '', implied] = notOurs.has(typed) ? [] : (meantFlag(typed)?.split(' ') ?? [])
  if (booleanFlags.includes(flag)) {
    // npm has its own option `git`, a path; without a value it is empty.
    const given = value === 'true' || (typed === 'git' && value === '')
    return given ? [{ flag, typed, value: undefined }] : []
  }
  // npm's own `description` is a switch, on by default.
  if (!textFlags.includes(flag) || (typed === 'description' && value !== 'true')) return []
  return [{ flag, typed, value: implied ?? (value === 'true' || value === '' ? undefined : value) }]
}

/** Whether the command was given the flag itself, or its opposite. */
function isSaid(argv: readonly string[], flag: string): boolean {
  return argv.some((word) => [`--${flag}`, `--no-${flag}`].includes(word) || word.startsWith(`--${flag}=`))
}

/** Assigns the words that npm left to the flags that it consumed, by the values that each flag allows. */
function meantCommand(
  argv: readonly string[],
  kept: readonly Kept[],
  environment: Environment,
  platform: NodeJS.Platform,
): string {
  const firstFlag = argv.findIndex((word) => word.startsWith('-'))
  const words = argv.slice(0, firstFlag === -1 ? argv.length : firstFlag)
  const named = kept.find(({ flag }) => flag === 'name')
  const [name, ...values] = named?.value === undefined ? words : [named.value, ...words]
  const others = kept.filter((one) => one !== named)
  const takesValue = others.filter(({ flag, value }) => value === undefined && !booleanFlags.includes(flag))
  const found = new Map<string, string>()
  for (const { flag } of takesValue) {
    const value = values.find((word) => choicesOf(flag).includes(word))
    if (value !== undefined) found.set(flag, values.splice(values.indexOf(value), 1)[0] ?? value)
  }
  const open = takesValue.filter(({ flag }) => !found.has(flag))
  if (open.length === 1 && values.length === 1) found.set(open[0]?.flag ?? '', values.pop() ?? '')
  const flags = others.flatMap(({ flag, value = found.get(flag) }) => {
    if (booleanFlags.includes(flag)) return [`--${flag}`]
    // Several texts: they can't be assigned.
    return [`--${flag}`, value === undefined ? '…' : quote(value, platform)]
  })
  const yes = tookYes(argv, environment) ? ['--yes'] : []
  const rest = argv.slice(words.length).map((word) => quote(word, platform))
  const start = [
    'npm create appfactory-plugin@latest',
    ...(name === undefined ? [] : [quote(name, platform)]),
    '--',
  ]
  return [...start, ...flags, ...rest, ...yes].join(' ')
}

function choicesOf(flag: string): string[] {
  const question: Question | undefined = questions.find(({ key }) => flagOf(key) === flag)
  return (question?.choices ?? []).flatMap(({ value, alias }) =>
    alias === undefined ? [value] : [value, alias],
  )
}
