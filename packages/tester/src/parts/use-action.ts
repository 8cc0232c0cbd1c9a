import { useState } from 'preact/hooks'

/** Something that a button begins: whether it is under way, and what went wrong. */
export function useAction(): {
  busy: string | undefined
  error: unknown
  run(name: string, work: () => Promise<void>): void
} {
  const [busy, setBusy] = useState<string>()
  const [error, setError] = useState<unknown>()
  async function run(name: string, work: () => Promise<void>): Promise<void> {
    setBusy(name)
    setError(undefined)
    try {
      await work()
    } catch (thrown) {
      setError(thrown)
    } finally {
      setBusy(undefined)
    }
  }
  return { busy, error, run: (name, work) => void run(name, work) }
}
