import type { AnyPlugin } from '../contracts/base.js'
import { contractBindingOf } from '../contracts/contract.js'
import { readShippedContract, shippedContracts } from '../contracts/shipped.js'
import type { ContractDescriptor } from '../descriptor.js'
import type { Check } from './check.js'
import { claimsCheck } from './checks/claims.js'
import { duringCallsCheck } from './checks/during-calls.js'
import { embeddingChecks } from './checks/embedding.js'
import { firstChecks, lastChecks } from './checks/life.js'
import { llmChecks } from './checks/llm.js'
import { methodChecks } from './checks/method.js'
import { stateCheck } from './checks/state.js'
import { joinedAsArray, streamChecks } from './checks/stream.js'
import { sttChecks } from './checks/stt.js'
import { ttsChecks } from './checks/tts.js'

/** A contract: the name of one that ships, a contract or plugin class, or a contract as data. */
export type CheckedContract = string | (abstract new () => AnyPlugin) | ContractDescriptor

const shippedChecks: Record<string, (contract: ContractDescriptor) => Check[]> = {
  tts: ttsChecks,
  stt: sttChecks,
  llm: llmChecks,
  embedding: embeddingChecks,
}

/**
 * All checks of a contract, in the order in which they run. The checks of a custom contract are generated from its table.
 *
 * @throws TypeError where there is no such contract.
 */
export async function contractChecks(contract: CheckedContract): Promise<Check[]> {
  return checksOf(await descriptorOf(contract))
}

export function checksOf(contract: ContractDescriptor): Check[] {
  const own = shippedChecks[contract.name] ?? checksFromTable
  return [
    ...firstChecks,
    claimsCheck,
    ...own(contract),
    duringCallsCheck(contract),
    stateCheck,
    ...lastChecks,
  ]
}

function checksFromTable({ name, methods }: ContractDescriptor): Check[] {
  return methods.flatMap((method) =>
    method.kind === 'stream'
      ? [...methodChecks(name, method), ...streamChecks(name, method), ...joinedAsArray(name, method)]
      : methodChecks(name, method),
  )
}

/** A contract as data. For the SDK's contracts, its own copy, not the plugin's. */
export async function descriptorOf(contract: CheckedContract): Promise<ContractDescriptor> {
  if (typeof contract === 'string') return shippedContract(contract)
  if (typeof contract === 'object')
    return isShipped(contract.name) ? readShippedContract(contract.name) : contract
  const binding = contractBindingOf(contract)
  if (!binding) throw new TypeError(`${contract.name} is neither a contract nor a plugin class`)
  return isShipped(binding.name) ? readShippedContract(binding.name) : binding.describe()
}

function shippedContract(name: string): ContractDescriptor {
  if (isShipped(name)) return readShippedContract(name)
  const known = shippedContracts.join(', ')
  throw new TypeError(`No contract "${name}" ships with the SDK (there is ${known}); give its class instead`)
}

function isShipped(name: string): boolean {
  return shippedContracts.some((shipped) => shipped === name)
}
