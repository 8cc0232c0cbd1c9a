/** Where the value of a top-level key stands in the text of a JSON object. */
interface Member {
  key: string
  start: number
  end: number
}

/**
 * The text of a JSON object with one key set to `value`; everything else stays as it was written. A new key comes last.
 *
 * @param text Valid JSON whose outermost value is an object.
 */
export function withKey(text: string, key: string, value: unknown): string {
  const indent = indentOf(text)
  const members = membersOf(text)
  const known = members.find((member) => member.key === key)
  const written = JSON.stringify(value, null, indent).replaceAll('\n', `\n${indent}`)
  if (known) return text.slice(0, known.start) + written + text.slice(known.end)
  const last = members.at(-1)
  const member = `${indent === '' ? '' : `\n${indent}`}${JSON.stringify(key)}:${indent === '' ? '' : ' '}${written}`
  if (last) return `${text.slice(0, last.end)},${member}${text.slice(last.end)}`
  const open = text.indexOf('{') + 1
  return `${text.slice(0, open)}${member}${indent === '' ? '' : '\n'}${text.slice(text.lastIndexOf('}'))}`
}

/** What stands before the first key; nothing where all is on one line. */
function indentOf(text: string): string {
  return /\{\s*?\n([ \t]+)"/.exec(text)?.[1] ?? ''
}

function membersOf(text: string): Member[] {
  const members: Member[] = []
  let at = skipSpace(text, text.indexOf('{') + 1)
  while (text[at] === '"') {
    const keyEnd = endOfString(text, at)
    const start = skipSpace(text, text.indexOf(':', keyEnd) + 1)
    const end = endOfValue(text, start)
    members.push({ key: JSON.parse(text.slice(at, keyEnd)) as string, start, end })
    const next = skipSpace(text, end)
    at = text[next] === ',' ? skipSpace(text, next + 1) : text.length
  }
  return members
}

function endOfValue(text: string, start: number): number {
  if (text[start] === '"') return endOfString(text, start)
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const character = text[at] ?? ''
    if (character === '"') at = endOfString(text, at) - 1
    else if ('{['.includes(character)) depth += 1
    else if ('}]'.includes(character)) {
      if (depth === 0) return at
      depth -= 1
      if (depth === 0) return at + 1
    } else if (depth === 0 && /[,\s]/.test(character)) return at
  }
  return text.length
}

function endOfString(text: string, start: number): number {
  let at = start + 1
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (at < text.length && /\s/.test(text[at] ?? '')) at += 1
  return at
}
