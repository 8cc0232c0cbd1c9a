import {
  type ContractBinding,
  type ContractClass,
  type ContractDescriptor,
  contractBindingOf,
  type Manifest,
} from '@appfactory/sdk'
import { nameValue } from '@appfactory/sdk/internal'
import { methodsMissing, otherContract } from './errors.js'

// The contract that an application names when it asks for a plugin: load(TTSContract, 'tts_flite').

/** How a plugin is asked for: by its name, or by its contract and its name. */
export type Given<Rest extends unknown[]> =
  | [name: string, ...Rest]
  | [contract: ContractClass, name: string, ...Rest]

export function namesContract<Rest extends unknown[]>(
  given: Given<Rest>,
): given is [contract: ContractClass, name: string, ...Rest] {
  return typeof given[0] === 'function'
}

/** What every `get()` does: by its name, or by its contract and its name. @throws TypeError where that is no contract's class. */
export async function getBy<Handle>(
  given: Given<[]>,
  get: (name: string, expected?: ContractBinding) => Promise<Handle>,
): Promise<Handle> {
  if (!namesContract(given)) return get(...given)
  const [contract, name] = given
  return get(name, expectedContract('get()', contract))
}

/** @throws TypeError where `contract` is no contract's class. */
export function expectedContract(what: string, contract: unknown): ContractBinding {
  const binding = contractBindingOf(contract)
  if (binding) return binding
  const given = typeof contract === 'function' ? `the class ${contract.name}` : nameValue(contract)
  throw new TypeError(
    `${what} takes the name of a plugin, or a contract’s class (such as TTSContract) and a name, not ${given}`,
  )
}

/** @throws PluginError CONTRACT_MISMATCH where a manifest names another contract. */
export function checkManifestContract({ name, contract }: Manifest, expected: ContractBinding): void {
  if (contract !== expected.name) throw otherContract(name, contract, expected.name)
}

/** @throws PluginError CONTRACT_MISMATCH where a running plugin has another contract, or lacks methods that each plugin of it must have. */
export async function checkContract(
  plugin: string,
  { name, methods }: ContractDescriptor,
  expected: ContractBinding,
): Promise<void> {
  if (name !== expected.name) throw otherContract(plugin, name, expected.name)
  const wanted = (await expected.describe()).methods.filter(({ required }) => required)
  const missing = wanted.filter((each) => !methods.some((method) => method.name === each.name))
  if (missing.length === 0) return
  throw methodsMissing(
    plugin,
    name,
    missing.map((method) => method.name),
  )
}
