/** An event of a watched plugin. */
export type DevelopmentEvent =
  /** It is about to be loaded, for the first time or again. */
  | { type: 'changed'; plugin: string }
  | { type: 'loaded'; plugin: string; version: string; durationMs: number }
  /** `durationMs` counts from the save. */
  | { type: 'reloaded'; plugin: string; version: string; durationMs: number; statePreserved: boolean }
  | { type: 'unloaded'; plugin: string }
  /** `serving`: the previous one keeps running. `repeated`: the last attempt failed with the same error. */
  | {
      type: 'failed'
      plugin: string
      serving: boolean
      repeated: boolean
      error: unknown
      place: string | undefined
    }
  /** The operating system does not report changes. */
  | { type: 'watch_failed'; error: unknown }
