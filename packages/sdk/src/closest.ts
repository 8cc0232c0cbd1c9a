/** Most characters that two names may differ in and still be taken for each other. */
const mostTypos = 3

/** Longer names than this are nobody's typing mistake, and comparing them would take long. */
const longestName = 100

/** The candidate that is most like `name`, if any is so close that it may be what was meant. */
export function closest(name: string, candidates: readonly string[]): string | undefined {
  if (name.length > longestName) return undefined
  const wanted = simplify(name)
  let best: string | undefined
  let least = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    if (candidate.length > longestName) continue
    const distance = editDistance(wanted, simplify(candidate))
    if (distance >= least || distance > Math.min(mostTypos, candidate.length / 3)) continue
    best = candidate
    least = distance
  }
  return best
}

/** Case, separators and the mark of bytes are what people get wrong first. */
function simplify(name: string): string {
  return name
    .toLowerCase()
    .replace(/_b64$/, '')
    .replace(/[^a-z0-9]/g, '')
}

/** Characters to change, add or take away (Levenshtein); infinite where the lengths alone say that it is too many. */
function editDistance(from: string, to: string): number {
  if (Math.abs(from.length - to.length) > mostTypos) return Number.POSITIVE_INFINITY
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let above = 0; above < from.length; above++) {
    const next = [above + 1]
    for (let index = 0; index < to.length; index++) {
      const replaced = (row[index] ?? 0) + (from[above] === to[index] ? 0 : 1)
      next.push(Math.min(replaced, (row[index + 1] ?? 0) + 1, (next[index] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}
