import type { ContractDescriptor } from '@appfactory/sdk'

type Version = Pick<ContractDescriptor, 'name' | 'version' | 'methods'>

/** Why calls made by one version of a contract can't go to a plugin with another one. Undefined: they can. */
export function mismatchOf(known: Version, other: Version): string | undefined {
  if (other.name !== known.name) return `it is of contract ${other.name}, not ${known.name}`
  if (lineOf(other.version) !== lineOf(known.version))
    return `it has version ${other.version} of contract ${known.name}, and this caller ${known.version}. Update the older of the two`
  const wires = new Set(other.methods.map(({ wire }) => wire))
  const missing = known.methods.filter(({ wire, required }) => required && !wires.has(wire))
  if (missing.length === 0) return undefined
  return `its version of contract ${known.name} lacks ${missing.map(({ wire }) => wire).join(', ')}`
}

/** What versions have in common that are compatible: 1 of 1.4.0, 0.3 of 0.3.1. */
function lineOf(version: string): string {
  const [major = '', minor = ''] = version.split('.')
  return major === '0' ? `0.${minor}` : major
}
