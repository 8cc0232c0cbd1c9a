import { fits, isVersion, parseSpecifiers } from './version.js'

/** One requirement of PEP 508: `misaki[en]>=0.7; python_version < "3.13"`. */
export interface Requirement {
  /** As pip takes it. */
  text: string
  /** Normalised. */
  name: string
  /** Normalised. */
  extras: readonly string[]
  /** `>=1,<2`; empty where any version will do, or where an address decides. */
  specifiers: string
  /** The condition under which it is needed; empty: always. */
  marker: string
}

/** The variables of markers, as a Python tells them: `python_version`, `sys_platform` and so on. */
export type MarkerVariables = Readonly<Record<string, string>>

/** Longest requirement, in characters. */
export const longestRequirement = 4000

const start = /^([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)\s*(?:\[([^\]]*)\])?\s*/i

/** A requirement by its text; undefined where it is none. */
export function parseRequirement(text: string): Requirement | undefined {
  const [head, name, extras = ''] = text.length > longestRequirement ? [] : (start.exec(text) ?? [])
  if (head === undefined || name === undefined) return undefined
  const rest = text.slice(head.length)
  const parsed = { text, name: normalName(name), extras: extrasOf(extras) }
  // In an address, `;` ends it only after white space.
  const isAddress = rest.startsWith('@')
  const end = isAddress ? rest.search(/\s;/) : rest.indexOf(';')
  const body = (end === -1 ? rest : rest.slice(0, end)).trim()
  const marker = end === -1 ? '' : rest.slice(rest.indexOf(';', end) + 1).trim()
  if (isAddress) return body.length > 1 ? { ...parsed, specifiers: '', marker } : undefined
  const specifiers = body.replace(/^\((.*)\)$/, '$1').trim()
  return parseSpecifiers(specifiers) && { ...parsed, specifiers, marker }
}

function extrasOf(text: string): string[] {
  return text
    .split(',')
    .map((extra) => normalName(extra.trim()))
    .filter((extra) => extra !== '')
}

/** PEP 503: `Foo_Bar.baz` → `foo-bar-baz` */
export function normalName(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]+/g, '-')
}

/** Whether a version is in the range of a requirement. */
export function isInRange(version: string, { specifiers }: Requirement): boolean {
  return fits(version, parseSpecifiers(specifiers) ?? [])
}

/**
 * Whether a marker holds, with `extra` asked for. One that can't be read holds: a requirement too many is reported, one too few
 * is an ImportError later.
 */
export function holds(marker: string, variables: MarkerVariables, extra = ''): boolean {
  if (marker === '') return true
  return new Marker(marker, { ...variables, extra }).value() ?? true
}

const token = /\s*(?:(\(|\))|'([^']*)'|"([^"]*)"|(===|==|~=|!=|<=|>=|<|>)|([a-z_.]+))/iy

interface Token {
  kind: 'bracket' | 'text' | 'operator' | 'word'
  value: string
}

/** Reads a marker from left to right. */
class Marker {
  readonly #tokens: readonly Token[] | undefined
  readonly #variables: MarkerVariables
  #at = 0

  constructor(text: string, variables: MarkerVariables) {
    this.#tokens = tokensOf(text)
    this.#variables = variables
  }

  /** Undefined where it can't be read. */
  value(): boolean | undefined {
    if (this.#tokens === undefined) return undefined
    const value = this.#or()
    return this.#at === this.#tokens.length ? value : undefined
  }

  #or(): boolean | undefined {
    let value = this.#and()
    while (value !== undefined && this.#takes('or')) {
      const next = this.#and()
      value = next === undefined ? undefined : value || next
    }
    return value
  }

  #and(): boolean | undefined {
    let value = this.#term()
    while (value !== undefined && this.#takes('and')) {
      const next = this.#term()
      value = next === undefined ? undefined : value && next
    }
    return value
  }

  #term(): boolean | undefined {
    if (this.#takes('(')) {
      const value = this.#or()
      return this.#takes(')') ? value : undefined
    }
    const left = this.#operand()
    const operator = this.#operator()
    const right = this.#operand()
    if (left === undefined || operator === undefined || right === undefined) return undefined
    return compareMarker(left, operator, right)
  }

  #takes(value: string): boolean {
    const next = this.#tokens?.[this.#at]
    if (next === undefined || next.kind === 'text' || next.value !== value) return false
    this.#at += 1
    return true
  }

  #operator(): string | undefined {
    if (this.#takes('in')) return 'in'
    if (this.#takes('not')) return this.#takes('in') ? 'not in' : undefined
    const next = this.#tokens?.[this.#at++]
    return next?.kind === 'operator' ? next.value : undefined
  }

  #operand(): string | undefined {
    const next = this.#tokens?.[this.#at++]
    if (next?.kind === 'text') return next.value
    return next?.kind === 'word' ? this.#variables[next.value] : undefined
  }
}

function tokensOf(text: string): Token[] | undefined {
  const tokens: Token[] = []
  const trimmed = text.trimEnd()
  for (token.lastIndex = 0; token.lastIndex < trimmed.length; ) {
    const match = token.exec(trimmed)
    if (!match) return undefined
    const [, bracket, single, double, operator, word] = match
    const quoted = single ?? double
    if (bracket !== undefined) tokens.push({ kind: 'bracket', value: bracket })
    else if (quoted !== undefined) tokens.push({ kind: 'text', value: quoted })
    else if (operator !== undefined) tokens.push({ kind: 'operator', value: operator })
    else if (word !== undefined) tokens.push({ kind: 'word', value: word })
  }
  return tokens
}

function compareMarker(left: string, operator: string, right: string): boolean | undefined {
  if (operator === 'in') return right.includes(left)
  if (operator === 'not in') return !right.includes(left)
  const specifiers = isVersion(left) ? parseSpecifiers(operator + right) : undefined
  if (specifiers) return fits(left, specifiers)
  if (operator === '==' || operator === '===') return normalExtra(left) === normalExtra(right)
  if (operator === '!=') return normalExtra(left) !== normalExtra(right)
  if (operator === '<') return left < right
  if (operator === '>') return left > right
  if (operator === '<=') return left <= right
  return operator === '>=' ? left >= right : undefined
}

/** Extras are compared by their normal names; nothing else differs only by case or dashes. */
function normalExtra(text: string): string {
  return normalName(text)
}
