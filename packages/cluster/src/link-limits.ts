import type { NumberRule } from '@appfactory/host/internal'

export interface LinkLimits {
  /** Links of one caller at once. Default: 256. */
  maxLinksPerCaller: number
  /** Callers with links at once. Default: 1,024. */
  maxCallersPerNode: number
  /** Bytes of lines on their way over one link. Default: 1 MiB. */
  linkWindowBytes: number
  /** Bytes on their way over all links of this process. Default: 32 MiB. */
  connectionWindowBytes: number
  /** How long a link lives without NATS, in ms. Default: 5,000. */
  resumeMs: number
}

/** How much a link may be told to take at once, in bytes: both ends refuse anything else. */
export const windowBytes = { least: 1024, most: 64 * 1024 * 1024 } as const

/** For `linkWindowBytes`. */
export const windowSize: NumberRule = {
  takes: `a whole number from ${windowBytes.least} to ${windowBytes.most}`,
  fits: (value) => Number.isInteger(value) && value >= windowBytes.least && value <= windowBytes.most,
}

export const defaultLinkLimits: LinkLimits = {
  maxLinksPerCaller: 256,
  maxCallersPerNode: 1024,
  linkWindowBytes: 1024 * 1024,
  connectionWindowBytes: 32 * 1024 * 1024,
  resumeMs: 5000,
}
