import type { JsonObject, Plugin } from '../api/types.js'
import { clipHolders } from '../form/clips.js'
import { persist } from '../state/persist.js'

/** What was last filled in for each method: another section or plugin, or a reload, is no loss. */
export const drafts = new Map<string, JsonObject>()
clipHolders.push(() => [...drafts.values()])
persist(
  'drafts',
  () => [...drafts],
  (saved) => {
    for (const [key, args] of saved) drafts.set(key, args)
  },
)

export function draftKey({ path }: Plugin, method: string): string {
  return `${path} ${method}`
}
