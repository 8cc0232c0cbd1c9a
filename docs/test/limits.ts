import {
  defaultInstanceLimits,
  defaultRestartPolicy,
  defaultSlotLimits,
} from '../../packages/host/dist/options.js'

/** The host's limits and their defaults, as the code has them. */
export const instanceLimits: object = defaultInstanceLimits
export const slotLimits: object = defaultSlotLimits
export const restartPolicy: object = defaultRestartPolicy

/** A default as the pages write it: `30,000`, `8 MiB`. */
export function shown(value: unknown): string {
  if (typeof value !== 'number') return 'Node’s own'
  const mebibytes = value / 1024 ** 2
  return Number.isInteger(mebibytes) ? `${mebibytes} MiB` : value.toLocaleString('en-US')
}
