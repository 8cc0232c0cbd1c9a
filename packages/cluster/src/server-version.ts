/** From which version on each line of releases has no hole that is known. Later lines have none from the beginning. */
const fixed: Readonly<Record<string, number>> = { '2.11': 16, '2.12': 7 }
const firstFixedMinor = 14

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
