import { environmentKey, maxWanted, paramIssues } from '@appfactory/host/internal'
import { describeThrown, issuesText, quoted } from '@appfactory/sdk/internal'
import { z } from 'zod'

/** What a node must have: each of these, with that value. */
export type Labels = Readonly<Record<string, string>>

/** The longest record, in bytes. */
export const maxRecordBytes = 256 * 1024

/** Names of plugins, as manifests have them: each is one token of a key. */
const pluginName = /^[a-z][a-z0-9]*([_-][a-z0-9]+)*$/

const record = z.looseObject({
  /** Processes on all nodes together. */
  replicas: z.int().min(1).max(maxWanted).default(1),
  /** What a node must have to run it. */
  on: z.record(z.string().min(1), z.string()).default({}),
  config: z.record(z.string(), z.unknown()).default({}),
  /** Of the plugin, where only one will do. */
  version: z.string().min(1).max(256).optional(),
  /** The plugin that this one has taken the place of, in a swap: nodes that run that one run this one from now on. */
  replaces: z.object({ name: z.string().max(214), generation: z.int().nonnegative() }).optional(),
  /** Rises with each change of the record. */
  generation: z.int().nonnegative().optional(),
})

/** That a plugin is to run, on any of several nodes. Members that this version does not know are kept. */
export type DesiredRecord = z.output<typeof record>

export function isPluginName(name: unknown): name is string {
  return typeof name === 'string' && name.length <= 214 && pluginName.test(name)
}

export function keyOfRecord(name: string): string {
  return `plugins.${name}`
}

/** The name of the plugin that a key of a record is about. Undefined: it is another key. */
export function nameOfKey(key: string, kind: 'plugins' | 'leases'): string | undefined {
  const [first, name, more] = key.split('.')
  return first === kind && more === undefined && isPluginName(name) ? name : undefined
}

export function recordBytes(told: DesiredRecord): Uint8Array {
  return Buffer.from(JSON.stringify(told))
}

/** What a record says that came from outside. A string says what is wrong with it. */
export function readRecord(bytes: Uint8Array): DesiredRecord | string {
  if (bytes.length > maxRecordBytes)
    return `it has ${bytes.length} bytes; a record has ${maxRecordBytes} at most`
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'))
  } catch (error) {
    return `it is no JSON: ${describeThrown(error).message}`
  }
  return checkedRecord(value)
}

/** A record, or what is wrong with it. */
export function checkedRecord(value: unknown): DesiredRecord | string {
  const read = record.safeParse(value)
  if (!read.success) return issuesText(paramIssues(read.error, value, []))
  // Only the operator of a node decides which of its environment variables a plugin sees.
  if (Object.hasOwn(read.data.config, environmentKey))
    return `config.${environmentKey}: only the configuration file of the plugin on the node can grant it`
  return read.data
}

/** Whether two records ask for the same. */
export function asksTheSame(one: DesiredRecord, other: DesiredRecord): boolean {
  const asked = ({ replaces: _, ...rest }: DesiredRecord): string => sorted({ ...rest, generation: 0 })
  return asked(one) === asked(other)
}

/** Whether what runs by one record need not be started anew for another. */
export function runsTheSame(one: DesiredRecord, other: DesiredRecord): boolean {
  return one.version === other.version && sorted(one.config) === sorted(other.config)
}

/** Whether what was started with that configuration is what a record asks for. */
export function isConfiguredBy({ config }: DesiredRecord, running: object): boolean {
  return sorted(config) === sorted(running)
}

/** The record of what a plugin was swapped for. */
export function recordAfterSwap(
  { replaces: _, ...record }: DesiredRecord,
  [old, replacement]: readonly [string, string],
  {
    config,
    version,
    generation,
  }: { config: Record<string, unknown> | undefined; version: string; generation: number },
): DesiredRecord {
  const isOther = old !== replacement
  return {
    ...record,
    // As a host does it: another plugin does not get the configuration of the one before.
    config: config ?? (isOther ? {} : record.config),
    ...(record.version === undefined ? {} : { version }),
    ...(isOther ? { replaces: { name: old, generation } } : {}),
  }
}

/** Why a node with these labels is none for a record. Undefined: it is one. */
export function missingLabel({ on }: DesiredRecord, labels: Labels): string | undefined {
  const missing = Object.entries(on).find(
    ([key, value]) => !Object.hasOwn(labels, key) || labels[key] !== value,
  )
  return missing && `it has no label ${quoted(missing.join('='))}`
}

/** The JSON of a value, whatever order its members are in. */
function sorted(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([one], [other]) => (one < other ? -1 : 1)))
      : each,
  )
}
