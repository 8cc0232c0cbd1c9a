/** Flite's time grows faster than its text: 200 characters take some 50 ms, 2,000 take seconds. */
const longestPiece = 200
/** No word is longer, but a line of dashes or a key may be; Flite would take minutes for a very long one. */
const longestWord = 60

const replacements: readonly (readonly [RegExp, string])[] = [
  [/[‘’‚′]/g, "'"],
  [/[“”„«»″]/g, '"'],
  [/[–—]/g, ', '],
  [/ß/g, 'ss'],
  [/[æÆ]/g, 'ae'],
  [/[øØ]/g, 'o'],
  [/£/g, ' pounds '],
  [/€/g, ' euros '],
]

/** Text in the letters that Flite knows, which are those of ASCII: accents are taken off, emoji and the like left out. */
export function toSpeakable(text: string): string {
  const replaced = replacements.reduce((result, [pattern, plain]) => result.replace(pattern, plain), text)
  return replaced
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[^\x20-\x7e]+/g, ' ')
    .replace(/ +/g, ' ')
    .trim()
}

/** Cuts a sentence into pieces that Flite speaks in a short time, between words wherever there are any. */
export function cutIntoPieces(sentence: string): string[] {
  const words = sentence.split(' ').flatMap((word) => word.match(longWordParts) ?? [''])
  const pieces: string[] = []
  let piece = ''
  for (const word of words) {
    if (piece !== '' && piece.length + 1 + word.length > longestPiece) {
      pieces.push(piece)
      piece = word
    } else {
      piece = piece === '' ? word : `${piece} ${word}`
    }
  }
  return [...pieces, piece]
}

const longWordParts = new RegExp(`.{1,${longestWord}}`, 'g')
