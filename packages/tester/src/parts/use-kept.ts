import { useState } from 'preact/hooks'
import { clipHolders } from '../form/clips.js'

const kept = new Map<string, unknown>()
clipHolders.push(() => [...kept.values()])

/** State that is still there when somebody comes back to a section. */
export function useKept<Value>(key: string, initial: () => Value): [Value, (value: Value) => void] {
  const [value, setValue] = useState(() => (kept.has(key) ? (kept.get(key) as Value) : initial()))
  const keep = (next: Value): void => {
    kept.set(key, next)
    setValue(() => next)
  }
  return [value, keep]
}
