import { type Streams, tell } from './output.js'

/** After how long a silence a command tells what it waits for, in ms. */
const silenceMs = 3000

/** Tells on stderr what is waited for, if it takes long, and again whenever that is something else. */
export async function patiently<Result>(
  streams: Streams,
  words: () => string,
  work: Promise<Result>,
): Promise<Result> {
  let told: string | undefined
  const timer = setInterval(() => {
    const now = words()
    if (now !== told) tell(streams, now)
    told = now
  }, silenceMs)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}
