import type { NumberRule } from '@appfactory/host/internal'
import { z } from 'zod'

/** In ms. Others could not read who has one that lasts longer, and would not wait for it. */
const leaseRange = { least: 1, most: 10 * 60_000 } as const

/** For `leaseMs`. */
export const leaseTime: NumberRule = {
  takes: `a number of ms from ${leaseRange.least} to ${leaseRange.most}`,
  fits: (value) => value >= leaseRange.least && value <= leaseRange.most,
}

const value = z.object({
  node: z.string().max(63),
  /** Of the run of the node. */
  boot: z.string().max(64),
  /** How long it holds from when its holder has asked for it, in ms. */
  leaseMs: z.number().min(leaseRange.least).max(leaseRange.most),
})

/** Who may run a plugin that only one node may run. */
export type LeaseValue = z.infer<typeof value>

export function keyOfLease(plugin: string): string {
  return `leases.${plugin}`
}

export function leaseBytes(told: LeaseValue): Uint8Array {
  return Buffer.from(JSON.stringify(told))
}

/** A lease that came from outside; undefined for what is none. */
export function readLease(bytes: Uint8Array): LeaseValue | undefined {
  try {
    return value.parse(JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')))
  } catch {
    return undefined
  }
}
