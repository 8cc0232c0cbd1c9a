/** The value that a share of all values does not exceed; 0 of none. */
export function percentile(values, share) {
  const sorted = sorting(values)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}

/** The middle one; of an even number, the mean of the two in the middle. */
export function median(values) {
  const sorted = sorting(values)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

function sorting(values) {
  return [...values].sort((a, b) => a - b)
}
