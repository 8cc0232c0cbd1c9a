/** Of more than that many, only some are looked at. */
const mostCompared = 16

/** How many are looked at then: two are not enough while there are few. */
const sample = 4

/**
 * One of those with the least load; of equals, any. Of more than 16, the best of four that are chosen at random.
 *
 * @param random From 0 to 1, as `Math.random`.
 */
export function leastLoaded<T>(
  all: readonly T[],
  loadOf: (one: T) => number,
  random: () => number = Math.random,
): T | undefined {
  const compared = all.length > mostCompared ? sampleOf(all, random) : all
  let best: T | undefined
  let least = Number.POSITIVE_INFINITY
  let equals = 0
  for (const one of compared) {
    const load = loadOf(one)
    if (load > least) continue
    equals = load < least ? 1 : equals + 1
    // Each of n equals is taken with a chance of 1 to n.
    if (equals === 1 || random() * equals < 1) best = one
    least = load
  }
  return best
}

function sampleOf<T>(all: readonly T[], random: () => number): T[] {
  const chosen = new Set<number>()
  while (chosen.size < sample) chosen.add(Math.floor(random() * all.length) % all.length)
  return all.filter((_, index) => chosen.has(index))
}
