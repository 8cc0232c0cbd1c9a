import { useEffect, useState } from 'preact/hooks'
import { seconds } from './format.js'

/** How long something has been under way. */
export function Elapsed({ since }: { since: number }) {
  const [now, setNow] = useState(() => performance.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), 100)
    return () => clearInterval(timer)
  }, [])
  return <time class="elapsed">{seconds(Math.max(0, now - since))}</time>
}
