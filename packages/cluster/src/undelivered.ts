import { parseJson } from '@appfactory/sdk/internal'

/** The ids of the requests among lines that the other end has not read. What begins or ends within a line is left out. */
export function requestIdsIn(parts: readonly Buffer[]): number[] {
  return Buffer.concat(parts)
    .toString('utf8')
    .split('\n')
    .flatMap((line) => {
      const id = requestIdIn(line)
      return id === undefined ? [] : [id]
    })
}

function requestIdIn(line: string): number | undefined {
  try {
    const { id, method } = Object(parseJson(line))
    return typeof id === 'number' && typeof method === 'string' ? id : undefined
  } catch {
    return undefined
  }
}
