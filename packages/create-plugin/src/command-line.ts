import { type Answer, type Answers, flagOf, givenByExample, questions, type Surroundings } from './answers.js'
import { commandsOf } from './package-managers.js'
import { withDefaults } from './read-answers.js'

/** The command that gives the same answers again, to be pasted into a shell. */
export function repeatCommand(
  answers: Answers,
  isHere: boolean,
  version: string,
  platform: NodeJS.Platform,
): string {
  const [name = '', ...flags] = flagsOf(answers).map((word) => quote(word, platform))
  const create = commandsOf(answers.packageManager)
    .create.replace('VERSION', version)
    .replace('NAME', isHere ? '.' : name)
  return [create, ...flags].join(' ')
}

/** The arguments that give these answers: what is as by default is left out. */
export function flagsOf(answers: Answers): string[] {
  const { name, from, contract, engine, packageManager } = answers
  const surroundings: Surroundings = { packageManager }
  const decided = { name, contract, engine, ...(from === '' ? {} : { from }) }
  const defaults: Record<string, Answer | undefined> = {
    ...withDefaults(decided, surroundings),
    ...{ from: '', contract: undefined, engine: 'sample' },
  }
  const flags = questions.flatMap(({ key }) => {
    const answer = answers[key]
    const flag = `--${flagOf(key)}`
    if (key === 'name' || (from !== '' && givenByExample.includes(key))) return []
    if (typeof answer === 'boolean') return answer ? [flag] : []
    if (Array.isArray(answer)) return answer.flatMap((item) => [flag, item])
    if (answer === defaults[key]) return []
    // Behind a blank, `-x` would be taken for a flag.
    return answer.startsWith('-') ? [`${flag}=${answer}`] : [flag, answer]
  })
  return [name, ...flags, '--yes']
}

/** One word of a command line, for sh and its like or, on Windows, for PowerShell, which cmd understands mostly. */
export function quote(word: string, platform: NodeJS.Platform): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word
  if (platform === 'win32') return `"${word.replace(/(["`$])/g, '`$1')}"`
  return `'${word.replaceAll("'", "'\\''")}'`
}
