import { z } from 'zod'
import { isName } from './subjects.js'

const count = z.int().nonnegative()

/** The longest reason that a beat carries, in characters. */
export const maxWhy = 300

/** A loaded plugin of a node. Members that this version does not know are left out. */
const beatPlugin = z.object({
  name: z.string().max(214),
  /** Names that it had before swaps: calls by them still reach it. */
  formerNames: z.array(z.string().max(214)).max(1000).optional(),
  version: z.string().max(256),
  /** Such as tts. */
  contract: z.string().max(214),
  contractVersion: z.string().max(256),
  /** Rises with each swap on this node. */
  generation: count,
  /** Its PluginStatus: READY and BUSY take calls. */
  status: z.string().max(32),
  /** Calls that it works on, of all callers. */
  inFlight: count,
  /** Calls that wait on the node. */
  queued: count,
  /** Calls that it can work on at once. */
  capacity: z.int().positive(),
  /** Processes that it is to have. */
  replicas: count,
  /** How long it has been loaded, in ms. No time of day: clocks of machines differ. */
  loadedMs: z.number().nonnegative(),
})

/** What a node makes of a plugin that is wanted on any of several nodes. */
const desiredPlugin = z.object({
  name: z.string().max(214),
  /** Of the record that it knows. */
  generation: count,
  /** Processes that all nodes together are to have. */
  wanted: count,
  /** Processes that serve here. */
  running: count,
  /** Whether these run by that record, and not by the one before. */
  current: z.boolean().default(true),
  /** Processes that it means to have. Absent: it waits for what others make of the record. */
  share: count.optional(),
  /** Whether it could run it. */
  fits: z.boolean(),
  /** Why it has fewer than it could. */
  why: z.string().max(maxWhy).optional(),
  /** Of the error that it would answer with. */
  code: z.int().optional(),
  /** The number of the lease that it has, where only one node may run the plugin. The highest holds. */
  lease: count.optional(),
})

/** What a node tells of itself: each second, more often while it works, at each change, and to whoever asks. */
const beat = z.object({
  node: z.string().refine(isName),
  /** Of one run of the node: two with one name differ in it. */
  boot: z.string().min(1).max(64),
  /** Rises with each beat of this run. */
  sequence: count,
  /** As `--label K=V` has given them. */
  labels: z.record(z.string(), z.string()),
  /** It takes no new calls, and ends when those in flight have ended. */
  draining: z.boolean(),
  /** Its last beat: it has ended, and was not lost. */
  leaving: z.boolean().default(false),
  /** Those that it speaks, newest first. */
  protocolVersions: z.array(z.int()).max(64),
  plugins: z.array(beatPlugin).max(10_000),
  /** Absent: it runs only what it is told to by its name. */
  desired: z
    .object({
      /** Processes that it may have of all that is wanted. */
      room: count,
      /** How long it has been there, in ms. */
      sinceMs: z.number().nonnegative(),
      plugins: z.array(desiredPlugin).max(10_000),
    })
    .optional(),
})

export type BeatPlugin = z.infer<typeof beatPlugin>
export type DesiredOnNode = z.infer<typeof desiredPlugin>
export type Beat = z.infer<typeof beat>

export function beatBytes(told: Beat): Uint8Array {
  return Buffer.from(JSON.stringify(told))
}

/** A beat that came from outside; undefined for what is none. */
export function readBeat(bytes: Uint8Array): Beat | undefined {
  try {
    return beat.parse(JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8')))
  } catch {
    return undefined
  }
}
