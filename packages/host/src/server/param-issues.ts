import { closest, type Issue, listed, nameValue, shortened } from '@appfactory/sdk/internal'
import type { z } from 'zod'

/** What is wrong with the parameters of a method, in the words that arguments of plugins get: `plugin: is required`. */
export function paramIssues(error: z.ZodError, params: unknown, known: readonly string[]): Issue[] {
  return error.issues.flatMap((issue) => issuesOf(issue, params, known))
}

function issuesOf(issue: z.core.$ZodIssue, params: unknown, known: readonly string[]): Issue[] {
  const path = shortened(issue.path.map(String).join('.'))
  if (issue.code === 'unrecognized_keys' && issue.path.length === 0)
    return issue.keys.map((key) => ({ path: shortened(key), message: unknownParam(key, known) }))
  const value = issue.path.reduce<unknown>((inner, key) => Reflect.get(Object(inner), key), params)
  if (value === undefined) return [{ path, message: 'is required' }]
  if (issue.code === 'invalid_type')
    return [{ path, message: `must be ${withArticle(issue.expected)}, not ${nameValue(value)}` }]
  if (issue.code === 'too_small' && typeof value === 'number')
    return [{ path, message: `must be at least ${issue.minimum}, not ${value}` }]
  if (issue.code === 'too_big' && typeof value === 'number')
    return [{ path, message: `must be at most ${issue.maximum}, not ${value}` }]
  return [{ path, message: shortened(issue.message) }]
}

function unknownParam(key: string, known: readonly string[]): string {
  const meant = closest(key, known)
  if (meant !== undefined) return `is not known; did you mean ${meant}?`
  return known.length > 0
    ? `is not known; there is ${listed(known)}`
    : 'is not known; nothing is expected here'
}

function withArticle(type: string): string {
  const word = type === 'record' ? 'object' : type === 'int' ? 'whole number' : type
  return `${/^[aeiou]/.test(word) ? 'an' : 'a'} ${word}`
}
