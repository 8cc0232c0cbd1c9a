import { flagOf, questions } from './answers.js'
import { quote } from './command-line.js'
import { UsageError } from './failures.js'

type Environment = Readonly<Record<string, string | undefined>>

/** Flags that mean something to npm too: only these values can have been meant for this command. */
const booleanFlags = ['dry-run', 'json', 'force', 'git', 'install']

/**
 * Without `--`, npm keeps the flags of `npm create appfactory-plugin x --dry-run` for itself, and `x` would be written.
 * It says in its environment what it kept.
 *
 * @throws UsageError with the command that was meant.
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
  throw new UsageError(
    `npm took ${kept.map(({ flag }) => `--${flag}`).join(', ')} for its own. Flags of this command come behind "--":\n\n  ${command}\n`,
  )
}

interface Kept {
  flag: string
  /** Undefined where npm left the value behind, among the other words. */
  value: string | undefined
}

function flagsKept(argv: readonly string[], environment: Environment): Kept[] {
  const texts = questions.filter(({ key, kind }) => kind !== 'yes-no' && key !== 'name')
  const flags = [...texts.map(({ key }) => flagOf(key)), ...booleanFlags]
  return flags.flatMap((flag) => {
    const value = environment[`npm_config_${flag.replaceAll('-', '_')}`]
    const boolean = booleanFlags.includes(flag)
    // npm has a `git` of its own, which is a path; given without a value it is empty.
    const given = boolean ? value === 'true' || (flag === 'git' && value === '') : value !== undefined
    // npm's own `description` is a switch that is on.
    if (!given || (flag === 'description' && value !== 'true') || argv.includes(`--${flag}`)) return []
    return [{ flag, value: boolean || value === 'true' || value === '' ? undefined : value }]
  })
}

/** The words that npm left are the values of the flags that it took: which one's is told by what it can be. */
function meantCommand(
  argv: readonly string[],
  kept: readonly Kept[],
  environment: Environment,
  platform: NodeJS.Platform,
): string {
  const firstFlag = argv.findIndex((word) => word.startsWith('-'))
  const words = argv.slice(0, firstFlag === -1 ? argv.length : firstFlag)
  const [name, ...values] = words
  const takesValue = kept.filter(({ flag, value }) => value === undefined && !booleanFlags.includes(flag))
  const found = new Map<string, string>()
  for (const { flag } of takesValue) {
    const value = values.find((word) => [...choicesOf(flag)].includes(word))
    if (value !== undefined) found.set(flag, values.splice(values.indexOf(value), 1)[0] ?? value)
  }
  const open = takesValue.filter(({ flag }) => !found.has(flag))
  if (open.length === 1 && values.length === 1) found.set(open[0]?.flag ?? '', values.pop() ?? '')
  const flags = kept.flatMap(({ flag, value = found.get(flag) }) => {
    if (booleanFlags.includes(flag)) return [`--${flag}`]
    // Several texts, and no telling which is which.
    return [`--${flag}`, value === undefined ? '…' : quote(value, platform)]
  })
  const yes = environment['npm_config_yes'] === 'true' && !argv.includes('--yes') ? ['--yes'] : []
  const rest = argv.slice(words.length).map((word) => quote(word, platform))
  const start = [
    'npm create appfactory-plugin@latest',
    ...(name === undefined ? [] : [quote(name, platform)]),
    '--',
  ]
  return [...start, ...flags, ...rest, ...yes].join(' ')
}

function choicesOf(flag: string): string[] {
  const question = questions.find(({ key }) => flagOf(key) === flag)
  return (question?.choices ?? []).flatMap(({ value, alias }) =>
    alias === undefined ? [value] : [value, alias],
  )
}
