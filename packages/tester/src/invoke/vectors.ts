/** Vectors in a result, under whatever name: an array of arrays of numbers. */
export function vectorsIn(result: unknown): readonly (readonly number[])[] {
  if (typeof result !== 'object' || result === null || Array.isArray(result)) return []
  return Object.values(result).find(areVectors) ?? []
}

/** The cosine: 1 where two vectors point the same way, 0 where they have nothing in common. undefined where there is none. */
export function likeness(one: readonly number[], other: readonly number[]): number | undefined {
  if (one.length !== other.length) return undefined
  const cosine = product(one, other) / Math.sqrt(product(one, one) * product(other, other))
  return Number.isFinite(cosine) ? cosine : undefined
}

function product(one: readonly number[], other: readonly number[]): number {
  return one.reduce((sum, value, at) => sum + value * (other[at] ?? 0), 0)
}

export function areNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'number')
}

function areVectors(value: unknown): value is readonly (readonly number[])[] {
  return (
    Array.isArray(value) && value.length > 0 && value.every((each) => areNumbers(each) && each.length > 0)
  )
}
