/** A sound of speech, in Flite's notation. */
export interface Phone {
  phone: string
  startMs: number
  endMs: number
}

/** A type, not an interface: only a type fits results, which may have further keys. */
export type WordTime = {
  word: string
  startMs: number
  endMs: number
}

/**
 * Tells when each word is said, from the phones of the sentence and those of the words said one by one. The two differ a
 * little (`the` in "the apple" has another vowel), so the cheapest way to edit one into the other is looked for.
 */
export function alignWords(
  words: readonly string[],
  phonesByWord: readonly (readonly string[])[],
  phones: readonly Phone[],
): WordTime[] {
  const expected = phonesByWord.flatMap((group, word) => group.map((phone) => ({ phone, word })))
  const wordOfPhone = cheapestEdit(expected, phones)
  let previousEnd = 0
  return words.map((word, index) => {
    const said = phones.filter((_, position) => wordOfPhone[position] === index)
    const startMs = Math.round(said[0]?.startMs ?? previousEnd)
    const endMs = Math.round(said.at(-1)?.endMs ?? previousEnd)
    previousEnd = endMs
    return { word, startMs, endMs }
  })
}

/** For each phone of `actual` the word that it belongs to. */
function cheapestEdit(
  expected: readonly { phone: string; word: number }[],
  actual: readonly { phone: string }[],
): number[] {
  const cost = Array.from({ length: expected.length + 1 }, (_, row) =>
    Array.from({ length: actual.length + 1 }, (_, column) => (row === 0 ? column : column === 0 ? row : 0)),
  )
  const costAt = (row: number, column: number): number => cost[row]?.[column] ?? Number.POSITIVE_INFINITY
  const pairing = (row: number, column: number): number =>
    costAt(row - 1, column - 1) + (expected[row - 1]?.phone === actual[column - 1]?.phone ? 0 : 1)

  for (const [row, line] of cost.entries()) {
    for (let column = 1; row > 0 && column <= actual.length; column++) {
      line[column] = Math.min(pairing(row, column), costAt(row - 1, column) + 1, costAt(row, column - 1) + 1)
    }
  }

  const wordOfPhone: number[] = []
  let row = expected.length
  let column = actual.length
  while (column > 0) {
    const here = costAt(row, column)
    if (row > 0 && here === pairing(row, column)) {
      row -= 1
      column -= 1
      wordOfPhone[column] = expected[row]?.word ?? 0
    } else if (row > 0 && here === costAt(row - 1, column) + 1) {
      row -= 1
    } else {
      column -= 1
      // A sound that no word has alone: it belongs to the word before it.
      wordOfPhone[column] = expected[Math.max(0, row - 1)]?.word ?? 0
    }
  }
  return wordOfPhone
}
