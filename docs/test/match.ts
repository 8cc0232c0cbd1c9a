/** Whether `actual` is what a document shows; "…" stands for anything. */
export function matches(expected: unknown, actual: unknown): boolean {
  if (expected === '…') return true
  if (typeof expected === 'string') return typeof actual === 'string' && patternOf(expected).test(actual)
  if (Array.isArray(expected)) {
    const open = expected.at(-1) === '…'
    const items = open ? expected.slice(0, -1) : expected
    return (
      Array.isArray(actual) &&
      (open ? actual.length >= items.length : actual.length === items.length) &&
      items.every((item, index) => matches(item, actual[index]))
    )
  }
  if (typeof expected !== 'object' || expected === null) return expected === actual
  if (typeof actual !== 'object' || actual === null || Array.isArray(actual)) return false
  const { '…': open, ...members } = expected as Record<string, unknown>
  return (
    (open !== undefined || Object.keys(actual).length === Object.keys(members).length) &&
    Object.entries(members).every(
      ([key, value]) => Object.hasOwn(actual, key) && matches(value, Reflect.get(actual, key)),
    )
  )
}

/** A pattern of printed text: "…" stands for the rest of a line or, on a line of its own, for any lines. */
export function patternOf(text: string): RegExp {
  const source = text
    .trimEnd()
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replace(/(?<=^|\n)…(?=\n|$)/g, '[\\s\\S]*')
    .replace(/…/g, '.*')
  return new RegExp(`^${source}$`)
}
