/** A version as PEP 440 orders it. */
interface Version {
  epoch: number
  release: readonly number[]
  /** What orders versions of one release: pre-releases, post-releases, development releases. */
  suffix: readonly number[]
  local: readonly (string | number)[]
}

// No part can begin with what the part before it may end with, so that the time to match is linear.
const pattern =
  /^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?(\d*))?(?:-(\d+)|[-_.]?(?:post|rev|r)[-_.]?(\d*))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/i

/** Longest version or specifier, in characters. */
const longest = 256

const stages: Readonly<Record<string, number>> = { a: 0, alpha: 0, b: 1, beta: 1 }
const candidate = 2
const before = Number.NEGATIVE_INFINITY
const after = Number.POSITIVE_INFINITY
const plainSuffix = [after, 0, before, after]

function parseVersion(text: string): Version | undefined {
  const match = text.length > longest ? null : pattern.exec(text.trim())
  if (!match) return undefined
  const [, epoch = '0', release = '', stage, stageNumber, dashed, post, dev, devNumber, local] = match
  const postNumber = dashed ?? post
  const isOnlyDev = stage === undefined && postNumber === undefined && dev !== undefined
  return {
    epoch: Number(epoch),
    release: withoutZeros(release.split('.').map(Number)),
    suffix: [
      // A development release comes before the first pre-release.
      isOnlyDev ? before : stage === undefined ? after : (stages[stage.toLowerCase()] ?? candidate),
      Number(stageNumber ?? 0),
      postNumber === undefined ? before : Number(postNumber),
      dev === undefined ? after : Number(devNumber),
    ],
    local: local?.toLowerCase().split(/[-_.]/).map(numberOrText) ?? [],
  }
}

function withoutZeros(numbers: number[]): number[] {
  return numbers.slice(0, numbers.findLastIndex((number) => number !== 0) + 1)
}

function numberOrText(part: string): string | number {
  return /^\d+$/.test(part) ? Number(part) : part
}

/** Negative, 0 or positive. */
function compare(one: Version, other: Version): number {
  return (
    one.epoch - other.epoch ||
    compareNumbers(one.release, other.release) ||
    compareNumbers(one.suffix, other.suffix)
  )
}

function compareNumbers(one: readonly number[], other: readonly number[]): number {
  for (let at = 0; at < Math.max(one.length, other.length); at++) {
    const [left = 0, right = 0] = [one[at], other[at]]
    if (left !== right) return left < right ? -1 : 1
  }
  return 0
}

function compareLocal(one: Version, other: Version): number {
  for (let at = 0; at < Math.max(one.local.length, other.local.length); at++) {
    const [left, right] = [one.local[at], other.local[at]]
    if (left === right) continue
    if (left === undefined || right === undefined) return left === undefined ? -1 : 1
    // Numbers come after text.
    if (typeof left !== typeof right) return typeof left === 'string' ? -1 : 1
    return left < right ? -1 : 1
  }
  return 0
}

const operators = /^(===|==|~=|!=|<=|>=|<|>)\s*(\S+)$/

/** One specifier, such as `>=3.9`. */
interface Specifier {
  operator: string
  wanted: string
}

/** The parts of `>=3.9, <4` or of `>=3.9 <4`; undefined where one of them is no specifier of PEP 440. */
export function parseSpecifiers(text: string): readonly Specifier[] | undefined {
  const parts = text.replaceAll(/([=<>~!])\s+/g, '$1').split(/[\s,]+/)
  const specifiers = parts.filter((part) => part !== '').map(parseSpecifier)
  const valid = specifiers.filter((specifier) => specifier !== undefined)
  return valid.length === specifiers.length ? valid : undefined
}

function parseSpecifier(text: string): Specifier | undefined {
  const [, operator, wanted] = operators.exec(text) ?? []
  if (operator === undefined || wanted === undefined) return undefined
  if (operator === '===') return { operator, wanted }
  const takesStar = operator === '==' || operator === '!='
  const version = parseVersion(takesStar ? wanted.replace(/\.\*$/, '') : wanted)
  if (version === undefined) return undefined
  if (!takesStar && version.local.length > 0) return undefined
  if (operator === '~=' && !wanted.includes('.')) return undefined
  return { operator, wanted }
}

/** Whether a version fits all specifiers. Pre-releases fit: what is installed was chosen by somebody. */
export function fits(version: string, specifiers: readonly Specifier[]): boolean {
  return specifiers.every(({ operator, wanted }) => fitsOne(version, operator, wanted))
}

function fitsOne(text: string, operator: string, wanted: string): boolean {
  if (operator === '===') return text.trim().toLowerCase() === wanted.toLowerCase()
  if (wanted.endsWith('.*')) return hasPrefix(text, wanted.slice(0, -2)) === (operator === '==')
  const version = parseVersion(text)
  const limit = parseVersion(wanted)
  if (version === undefined || limit === undefined) return false
  const order = compare(version, limit)
  if (operator === '==' || operator === '!=') return isSame(version, limit) === (operator === '==')
  if (operator === '>=') return order >= 0
  if (operator === '<=') return order <= 0
  if (operator === '~=') return order >= 0 && hasPrefix(text, allButLast(wanted))
  if (!isSameRelease(version, limit)) return operator === '<' ? order < 0 : order > 0
  // `<2` leaves out 2rc1, and `>2` leaves out 2.post1; `<2rc2` and `>2.post1` are exact.
  const isPlain = compareNumbers(limit.suffix, plainSuffix) === 0
  return !isPlain && (operator === '<' ? order < 0 : order > 0)
}

/** Without a local part in the specifier, that of the version does not count: `==2.1` takes 2.1+cpu. */
function isSame(version: Version, limit: Version): boolean {
  return compare(version, limit) === 0 && (limit.local.length === 0 || compareLocal(version, limit) === 0)
}

function isSameRelease(one: Version, other: Version): boolean {
  return one.epoch === other.epoch && compareNumbers(one.release, other.release) === 0
}

/** Whether the release of `text` begins with that of `prefix`. */
function hasPrefix(text: string, prefix: string): boolean {
  const [version, start] = [parts(text), parts(prefix)]
  return (
    version.epoch === start.epoch && start.numbers.every((part, at) => (version.numbers[at] ?? 0) === part)
  )
}

function parts(text: string): { epoch: number; numbers: number[] } {
  const [, epoch = '0', release = ''] = pattern.exec(text.slice(0, longest).trim()) ?? []
  return { epoch: Number(epoch), numbers: release === '' ? [Number.NaN] : release.split('.').map(Number) }
}

/** `2.2.post3` → `2`, `1.4.5` → `1.4` */
function allButLast(wanted: string): string {
  const [, epoch, release = ''] = pattern.exec(wanted) ?? []
  return `${epoch === undefined ? '' : `${epoch}!`}${release.split('.').slice(0, -1).join('.')}`
}

/** Whether `text` is a version, so that a marker compares it as one. */
export function isVersion(text: string): boolean {
  return parseVersion(text) !== undefined
}
