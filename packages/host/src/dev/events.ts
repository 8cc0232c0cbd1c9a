/** What became of a plugin that is watched. */
export type DevelopmentEvent =
  /** It is about to be loaded, for the first time or anew. */
  | { type: 'changed'; plugin: string }
  | { type: 'loaded'; plugin: string; version: string; durationMs: number }
  /** `durationMs` counts from the save. */
  | { type: 'reloaded'; plugin: string; version: string; durationMs: number; statePreserved: boolean }
  | { type: 'unloaded'; plugin: string }
  /** `serving`: the one before goes on. `repeated`: so did the last attempt, with the same error. */
  | {
      type: 'failed'
      plugin: string
      serving: boolean
      repeated: boolean
      error: unknown
      place: string | undefined
    }
  /** The operating system does not tell of changes. */
  | { type: 'watch_failed'; error: unknown }
