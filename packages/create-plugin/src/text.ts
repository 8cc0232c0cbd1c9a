/** Characters that end a line, command a terminal, turn the direction of text or stand for no character. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]/u

/** The problem with a line of text for people, if any. */
export function textProblem(text: string, longest: number): string | undefined {
  const length = [...text].length
  if (length > longest) return `it has ${length} characters; at most ${longest} are allowed`
  const [found] = unprintable.exec(text) ?? []
  if (found === undefined) return undefined
  const code = (found.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
  return `it has the character U+${code}, which is not allowed in one line of text; leave it out`
}

/** The formatter's longest line. */
export const lineWidth = 110

/** Chooses the form on one line if it fits from that column on, otherwise the other one. */
export function fitting(column: number, flat: string, broken: string): string {
  return column + flat.length <= lineWidth ? flat : broken
}

/** A finite number in JavaScript and JSON, as the formatter writes it. */
export function numberText(value: number): string {
  return String(value).replace('e+', 'e')
}

/** A string of JavaScript, with the quotes that the formatter would choose. */
export function sourceString(text: string): string {
  const json = JSON.stringify(text)
  const singles = text.split("'").length
  const doubles = text.split('"').length
  if (singles > doubles) return json
  return `'${json.slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
}

/** Escapes text for Markdown, at the start of a line or within. */
export function markdownText(text: string): string {
  return text
    .trim()
    .replace(/[\\`*_{}[\]<>#|~&]/g, '\\$&')
    .replace(/^([-+]|\d+(?=[.)]))/, (start) => (/\d/.test(start) ? `${start}\\` : `\\${start}`))
}
