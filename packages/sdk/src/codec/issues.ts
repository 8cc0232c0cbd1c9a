import { isUint8Array } from 'node:util/types'
import { shortened } from '../quote.js'

/** What is wrong with a value, and where: `messages[0].role`. */
export interface Issue {
  path: string
  message: string
}

export type Path = (string | number)[]

/** How many issues are listed one by one; of more, the number is given. */
export const maxIssues = 20

/** The issues of one value: the first of them, and how many there are. */
export class Issues {
  readonly first: Issue[] = []
  count = 0
  /** How much of the value the schema leaves open: all of it is 1. */
  open = 0

  /** @param message Made only if it is kept. */
  add(path: Path, message: string | (() => string)): void {
    this.count += 1
    if (this.count > maxIssues) return
    this.first.push({ path: pathText(path), message: typeof message === 'string' ? message : message() })
  }

  /** Takes out those that came after the first `count`. */
  takeFrom(count: number): Issues {
    const taken = new Issues()
    taken.first.push(...this.first.splice(count))
    taken.count = this.count - count
    this.count = count
    return taken
  }

  addAll({ first, count }: Issues): void {
    this.first.push(...first.slice(0, maxIssues - this.first.length))
    this.count += count
  }
}

/** Of many issues the first, and how many more there are: `count` where not all were collected. */
export function firstIssues(issues: readonly Issue[], count = issues.length): Issue[] {
  const first = issues.slice(0, maxIssues)
  const more = count - first.length
  return more > 0 ? [...first, { path: '', message: `and ${more} more` }] : first
}

/** `['messages', 0, 'role']` → `messages[0].role` */
function pathText(path: readonly (string | number)[]): string {
  return path
    .map((part, index) =>
      typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${shortened(part)}`,
    )
    .join('')
}

/** `text: is required; speed: must be a number, not true` */
export function issuesText(issues: readonly Issue[]): string {
  // Those of a codec may have one more, which counts the others.
  const some = issues.length > maxIssues + 1 ? firstIssues(issues) : issues
  return some.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
}

/** A value as a person reads it in a message: short, with its type. */
export function nameValue(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'boolean' || typeof value === 'number')
    return String(value)
  if (typeof value === 'string')
    return value.length > 40
      ? `the string ${JSON.stringify(value.slice(0, 40))}…`
      : `the string ${JSON.stringify(value)}`
  if (Array.isArray(value)) return `an array of ${value.length}`
  return isUint8Array(value)
    ? `${value.length} bytes`
    : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`
}
