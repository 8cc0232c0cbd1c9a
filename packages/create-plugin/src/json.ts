import { lineWidth, numberText } from './text.js'

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** JSON as the formatter writes it: each key on a line of its own, and short arrays of plain values on one line. */
export function formatJson(value: Json, { expandArrays = false } = {}): string {
  return `${format(value, '', 0, expandArrays)}\n`
}

/** `column` is where the value begins. */
function format(value: Json, indent: string, column: number, expandArrays: boolean): string {
  if (typeof value === 'number') return numberText(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const inner = `${indent}  `
  if (isArray(value)) {
    const flat = `[${value.map((item) => format(item, inner, 0, expandArrays)).join(', ')}]`
    const fits = !flat.includes('\n') && column + flat.length < lineWidth
    if (value.length === 0 || (fits && !expandArrays)) return flat
    return block(
      '[]',
      indent,
      value.map((item) => format(item, inner, inner.length, expandArrays)),
    )
  }
  const lines = Object.entries(value).map(([key, item]) => {
    const start = `${JSON.stringify(key)}: `
    return start + format(item, inner, inner.length + start.length, expandArrays)
  })
  return lines.length === 0 ? '{}' : block('{}', indent, lines)
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

function block(brackets: string, indent: string, lines: readonly string[]): string {
  const body = lines.map((line) => `${indent}  ${line}`).join(',\n')
  return `${brackets.charAt(0)}\n${body}\n${indent}${brackets.charAt(1)}`
}
