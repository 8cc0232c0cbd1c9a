import type { PluginSystem } from '@appfactory/host'
import type { LLMClient } from '@appfactory/sdk'

type Lengths = Map<string, Promise<number | undefined>>

/** By host, so that each host has one listener, however many providers it serves. */
const lengthsOfHosts = new WeakMap<PluginSystem, Lengths>()

/**
 * Most tokens of prompt and answer together, asked of a plugin once: a swap and a restart may bring another model, so they ask anew.
 * Undefined where the plugin does not tell.
 */
export function contextLength(
  host: PluginSystem,
  llm: LLMClient & { name: string },
  model: string | undefined,
): Promise<number | undefined> {
  const lengths = lengthsOf(host)
  const key = JSON.stringify([llm.name, model])
  const known = lengths.get(key)
  if (known) return known
  const asked = ask(llm, model)
  lengths.set(key, asked)
  asked.catch(() => lengths.delete(key))
  return asked
}

async function ask(llm: LLMClient, wanted: string | undefined): Promise<number | undefined> {
  const models = await llm.getModels()
  // Without a name, the plugin chooses: only where it has one model is it known which.
  const model =
    wanted === undefined && models.length === 1 ? models[0] : models.find(({ id }) => id === wanted)
  return model?.contextLength
}

function lengthsOf(host: PluginSystem): Lengths {
  const known = lengthsOfHosts.get(host)
  if (known) return known
  const lengths: Lengths = new Map()
  lengthsOfHosts.set(host, lengths)
  const forget = (): void => lengths.clear()
  host.on('status', forget).on('swap', forget)
  return lengths
}
