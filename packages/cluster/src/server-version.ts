import { maxFrameBytes } from './frames.js'

/** From which version on each line of releases has no hole that is known. Later lines have none from the beginning. */
const fixed: Readonly<Record<string, number>> = { '2.11': 16, '2.12': 7 }
const firstFixedMinor = 14

/** Why links can't be carried by a server. Undefined: they can. */
export function serverProblem(info: { headers?: boolean; max_payload?: number } = {}): string | undefined {
  const { headers = false, max_payload: most = Number.POSITIVE_INFINITY } = info
  if (!headers)
    return 'does not tell of messages that reach nobody. Run version 2.9 or later, without "headers: false" in its configuration'
  if (most < maxFrameBytes)
    return `takes messages of at most ${most} bytes, and links send ${maxFrameBytes}. Raise max_payload in its configuration; 1 MB is its default`
  return undefined
}

/** What operators of a server should know of its version; undefined: nothing. */
export function serverWarning(version = 'unknown'): string | undefined {
  const [, minor, patch] = /^2\.(\d+)\.(\d+)/.exec(version) ?? []
  const isNewer = /^([3-9]|[1-9]\d+)\./.test(version)
  if (isNewer || isFixed(Number(minor), Number(patch))) return undefined
  return `the NATS server is of version ${version}, which has known holes; run 2.11.16, 2.12.7, 2.14.0 or later`
}

function isFixed(minor: number, patch: number): boolean {
  return minor >= firstFixedMinor || patch >= (fixed[`2.${minor}`] ?? Number.POSITIVE_INFINITY)
}
