import type { ContractDescriptor, MethodDescriptor } from '../../descriptor.js'

/** A method of a contract that is known to have it. */
export function methodOf({ name, methods }: ContractDescriptor, wire: string): MethodDescriptor {
  const found = methods.find((method) => method.wire === wire)
  if (!found) throw new TypeError(`The contract "${name}" has no method ${wire}`)
  return found
}
