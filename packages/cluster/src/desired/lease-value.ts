import { z } from 'zod'

const value = z.object({
  node: z.string().max(63),
  /** Of the run of the node. */
  boot: z.string().max(64),
  /** How long it holds from when its holder has asked for it, in ms. */
  leaseMs: z
    .number()
    .min(1)
    .max(10 * 60_000),
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
