import { median } from '../scripts/lib/statistics.mjs'

/** The median figure of each contender. A round is an object: contender to figure. */
export function medians(rounds) {
  return mapValues(rounds[0], (_, contender) => median(rounds.map((round) => round[contender])))
}

/** The median of each contender's ratio to the base of the same round. */
export function ratios(rounds, base) {
  return mapValues(rounds[0], (_, contender) => median(rounds.map((round) => round[contender] / round[base])))
}

/**
 * Whether a scenario's target is met. A target compares one contender with another (`against`; of several, with the
 * best of the round) as a ratio, or with `difference: true` by how much it is more; without `against` it is about the
 * figure itself. The bound is one of `atLeast`, `atMost`, `over` and `under`.
 */
export function evaluate(target, rounds) {
  const { of, against, difference = false } = target
  const others = [against ?? []].flat()
  const other = (round) => Math.max(...others.map((name) => round[name]))
  const compared = (round) => {
    if (!against) return round[of]
    return difference ? round[of] - other(round) : round[of] / other(round)
  }
  const value = median(rounds.map(compared))
  return {
    project: median(rounds.map((round) => round[of])),
    other: against ? median(rounds.map(other)) : undefined,
    value,
    met: isWithin(value, target),
  }
}

function isWithin(value, { atLeast, atMost, over, under }) {
  if (atLeast !== undefined) return value >= atLeast
  if (atMost !== undefined) return value <= atMost
  return over === undefined ? value < under : value > over
}

export function mapValues(object, change) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]))
}
