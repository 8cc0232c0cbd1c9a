/** What a reload of the page keeps, and where: in this tab only, until it is closed. */
const storageKey = 'appfactory-tester'

/** Browsers keep five million characters. */
const mostCharacters = 4_000_000

interface Part {
  name: string
  /** @param room Characters that its JSON may have. */
  read(room: number): unknown
}

const parts: Part[] = []
const saved = load()

function load(): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(storageKey) ?? '{}')
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

/**
 * Keeps something over a reload of the page. What was kept is restored at once.
 *
 * @param read Gives what is to be kept, in so many characters of JSON.
 */
export function persist<Value>(
  name: string,
  read: (room: number) => Value,
  restore: (value: Value) => void,
): void {
  parts.push({ name, read })
  const { [name]: value } = saved
  if (value === undefined) return
  try {
    restore(value as Value)
  } catch (error) {
    // Another version of the page may have kept it.
    console.warn(`What was kept of ${name} can’t be used:`, error)
  }
}

function save(): void {
  let room = mostCharacters
  const members: string[] = []
  for (const { name, read } of parts) {
    const text = JSON.stringify(read(room)) ?? 'null'
    if (text.length > room) continue
    room -= text.length
    members.push(`${JSON.stringify(name)}:${text}`)
  }
  try {
    sessionStorage.setItem(storageKey, `{${members.join(',')}}`)
  } catch {
    // A browser may keep less, or nothing at all.
    sessionStorage.removeItem(storageKey)
  }
}

addEventListener('pagehide', save)
