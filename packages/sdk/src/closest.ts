/** The candidate that is most like `name`, if any is so close that it may be what was meant. */
export function closest(name: string, candidates: readonly string[]): string | undefined {
  const near = candidates
    .map((candidate) => ({ candidate, distance: editDistance(simplify(name), simplify(candidate)) }))
    .filter(({ candidate, distance }) => distance <= Math.min(3, candidate.length / 3))
  return near.sort((one, other) => one.distance - other.distance)[0]?.candidate
}

/** Case, separators and the mark of bytes are what people get wrong first. */
function simplify(name: string): string {
  return name
    .toLowerCase()
    .replace(/_b64$/, '')
    .replace(/[^a-z0-9]/g, '')
}

/** Characters to change, add or take away (Levenshtein). */
function editDistance(from: string, to: string): number {
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
