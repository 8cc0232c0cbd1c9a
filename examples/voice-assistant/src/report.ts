import type { Turn } from './assistant.js'

/** A turn, as the console shows it. */
export function describeTurn(turn: Turn): string {
  const { errors } = wordErrors(turn.said, turn.heard)
  const early = isEarly(turn) ? ', while the text was still being written' : ''
  return [
    `said   ${turn.said}`,
    `heard  ${turn.heard}   [${errors} word errors, ${ms(turn.heardMs)}]`,
    `reply  ${turn.reply}`,
    `       [first word ${ms(turn.firstTextMs)}, first sound ${ms(turn.audioMs[0])}${early}; last word ${ms(turn.textDoneMs)}, last sound ${ms(turn.audioMs.at(-1))}]`,
    '',
  ].join('\n')
}

/** What all turns have in common. */
export function summarise(turns: readonly Turn[]): string {
  const counts = turns.map(({ said, heard }) => wordErrors(said, heard))
  const errors = counts.reduce((sum, count) => sum + count.errors, 0)
  const words = counts.reduce((sum, count) => sum + count.words, 0)
  const long = turns.filter(({ audioMs }) => audioMs.length > 2)
  const early = long.filter(isEarly).length
  const count = turns.length === 1 ? '1 turn' : `${turns.length} turns`
  const heard = `${count}: ${errors} word errors in ${words} words`
  // A reply of a sentence or two is written before its first sentence can be spoken.
  if (long.length === 0) return heard
  return `${heard}; reply audio began before the reply's text was complete in ${early} of ${long.length} replies of more than two sentences`
}

/** Words that would have to be changed, added or taken away to get from `said` to `heard`. */
export function wordErrors(said: string, heard: string): { errors: number; words: number } {
  const [from, to] = [wordsOf(said), wordsOf(heard)]
  let row = to.map((_, index) => index + 1)
  from.forEach((word, above) => {
    let diagonal = above
    let left = above + 1
    row = row.map((up, index) => {
      const best = Math.min(up + 1, left + 1, diagonal + (to[index] === word ? 0 : 1))
      diagonal = up
      left = best
      return best
    })
  })
  return { errors: row.at(-1) ?? from.length, words: from.length }
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z']+/g) ?? []
}

/** Whether the reply could be heard before it was written to its end. */
function isEarly({ audioMs: [first = Number.POSITIVE_INFINITY], textDoneMs }: Turn): boolean {
  return first < textDoneMs
}

function ms(value: number | undefined): string {
  return value === undefined ? 'never' : `${Math.round(value)} ms`
}
