import { closest } from '@appfactory/sdk/internal'
import { flagOf, questions } from './answers.js'

/** Flags that are not answers: they control the command. */
export const switches = {
  yes: {
    type: 'boolean',
    alias: 'y',
    default: false,
    describe: 'Use the defaults, and ask only questions without one',
  },
  'dry-run': {
    type: 'boolean',
    default: false,
    describe: 'Print the files that would be written, and write nothing',
  },
  json: {
    type: 'boolean',
    default: false,
    describe: 'Print JSON: the answers, and each file with its content',
  },
  force: {
    type: 'boolean',
    default: false,
    describe: 'Overwrite existing files of the plan; other files stay',
  },
} as const

const flags = [...questions.map(({ key }) => flagOf(key)), ...Object.keys(switches)]

/** Other words that people try, and the flag for each. */
const synonyms: ReadonlyMap<string, string> = new Map([
  ['kind', 'contract'],
  ['type', 'contract'],
  ['template', 'contract'],
  ['lang', 'language'],
  ['title', 'display-name'],
  ['pm', 'package-manager'],
  ...['typescript', 'javascript', 'python', 'ts', 'js', 'py'].map(
    (word) => [word, `language ${word}`] as const,
  ),
])

/** The flag for another word: `contract`, or with its value `language typescript`. */
export function meantFlag(word: string): string | undefined {
  return synonyms.get(word) ?? closest(word, flags)
}
