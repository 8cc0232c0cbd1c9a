/** A place in a text, both counted from 1. */
interface Place {
  line: number
  column: number
}

const token =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids these in strings.
  /[ \t\r\n]*(?:([{}[\]:,])|("[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))/y

type Expected = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or end' | 'nothing'

/** Where a text that is no JSON stops being JSON: not every Node says so in its error. */
export function jsonErrorPlace(text: string): Place {
  const before = text.slice(0, offsetOfError(text))
  const lines = before.split('\n')
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 }
}

function offsetOfError(text: string): number {
  const open: string[] = []
  let expected: Expected = 'value'
  for (let at = 0; ; ) {
    token.lastIndex = at
    const found = token.exec(text)
    const start = at + (/^[ \t\r\n]*/.exec(text.slice(at))?.[0].length ?? 0)
    if (!found) return start
    const next = follow(expected, found, open)
    if (next === undefined) return start
    expected = next
    at = token.lastIndex
  }
}

/** What is expected after a token; undefined: the token itself is not. */
function follow(
  expected: Expected,
  [, mark, text]: readonly (string | undefined)[],
  open: string[],
): Expected | undefined {
  const opens = mark === '{' || mark === '['
  const closes = open.at(-1) === '{' ? '}' : ']'
  const mayClose = expected === 'value or ]' || expected === 'key or }' || expected === ', or end'
  if (mayClose && open.length > 0 && mark === closes) {
    open.pop()
    return open.length > 0 ? ', or end' : 'nothing'
  }
  switch (expected) {
    case 'value':
    case 'value or ]':
      if (opens) open.push(mark)
      if (opens) return mark === '{' ? 'key or }' : 'value or ]'
      if (mark !== undefined) return undefined
      return open.length > 0 ? ', or end' : 'nothing'
    case 'key':
    case 'key or }':
      return text === undefined ? undefined : ':'
    case ':':
      return mark === ':' ? 'value' : undefined
    case ', or end':
      if (mark !== ',') return undefined
      return open.at(-1) === '{' ? 'key' : 'value'
    case 'nothing':
      return undefined
  }
}
