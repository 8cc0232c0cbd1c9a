import { closest } from '@appfactory/sdk/wire'
import { flagOf, questions } from './answers.js'

/** What is no answer: how the command behaves. */
export const switches = {
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

const flags = [...questions.map(({ key }) => flagOf(key)), ...Object.keys(switches)]

/** What people try, and how it is said here. */
const synonyms: ReadonlyMap<string, string> = new Map([
  ['kind', 'contract'],
  ['type', 'contract'],
  ['template', 'contract'],
  ['lang', 'language'],
  ['title', 'display-name'],
  ['pm', 'package-manager'],
  ...['typescript', 'javascript', 'ts', 'js'].map((word) => [word, `language ${word}`] as const),
])

/** The flag that was meant by another word: `contract`, or with its value `language typescript`. */
export function meantFlag(word: string): string | undefined {
  return synonyms.get(word) ?? closest(word, flags)
}
