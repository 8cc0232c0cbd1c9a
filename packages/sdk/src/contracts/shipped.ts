import { readFileSync } from 'node:fs'
import type { ContractDescriptor } from '../descriptor.js'
import type { ContractBinding, MethodBehaviour } from './contract.js'

/** Names of the contracts that come with the SDK; each has a `<name>.table.ts` and, once built, a `<name>.json`. */
export const shippedContracts = ['tts', 'stt', 'llm', 'embedding'] as const

/**
 * The published form of a shipped contract. It is read from JSON, so that a plugin's process need not load Zod:
 * that would double its start-up time.
 */
export function readShippedContract(name: string): ContractDescriptor {
  return JSON.parse(
    readFileSync(new URL(`../contracts/${name}.json`, import.meta.url), 'utf8'),
  ) as ContractDescriptor
}

export function shippedBinding(
  name: (typeof shippedContracts)[number],
  behaviour: Record<string, MethodBehaviour>,
): ContractBinding {
  return { name, describe: async () => readShippedContract(name), behaviour }
}
