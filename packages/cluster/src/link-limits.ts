export interface LinkLimits {
  /** Links of one caller at once. Default: 256. */
  maxLinksPerCaller: number
  /** Callers with links at once. Default: 1,024. */
  maxCallers: number
  /** Bytes of lines on their way over one link. Default: 1 MiB. */
  linkWindowBytes: number
  /** Bytes on their way over all links of this process. Default: 32 MiB. */
  connectionWindowBytes: number
  /** How long a link lives without NATS, in ms. Default: 5,000. */
  resumeMs: number
}

export const defaultLinkLimits: LinkLimits = {
  maxLinksPerCaller: 256,
  maxCallers: 1024,
  linkWindowBytes: 1024 * 1024,
  connectionWindowBytes: 32 * 1024 * 1024,
  resumeMs: 5000,
}
