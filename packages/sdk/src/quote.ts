/** Longest text from outside that a message repeats, in characters. */
const mostShown = 100

/** Most names that a message lists. */
const mostListed = 20

/** Text from outside, such as a name that a client sent, cut to what a person reads in a message. */
export function shortened(text: string, most = mostShown): string {
  if (text.length <= most) return text
  // Half of a surrogate pair would be no character.
  const cut = text.slice(0, most).replace(/[\uD800-\uDBFF]$/, '')
  return `${cut}… (${text.length} characters)`
}

/** A name from outside in quotes, as messages show it. */
export function quoted(name: unknown): string {
  if (typeof name === 'string') return `"${shortened(name)}"`
  return name === null || name === undefined ? String(name) : `a value of type ${typeof name}`
}

/** The first of many things, and how many more there are: `a, b, ... 4,980 more`. */
export function listed<Item>(
  items: readonly Item[],
  { separator = ', ', show = String }: { separator?: string; show?: (item: Item) => string } = {},
): string {
  const shown = items.slice(0, mostListed).map((item) => shortened(show(item)))
  const more = items.length - shown.length
  if (more > 0) shown.push(`... ${more.toLocaleString('en-US')} more`)
  return shown.join(separator)
}
