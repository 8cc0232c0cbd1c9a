import { fork } from 'node:child_process'
import { once } from 'node:events'
import { ended } from './fork.mjs'

/** A process of our own that measures itself when asked to, so that its memory and its time are its own. */
export async function startChild(file, args, execArgv = []) {
  const child = fork(file, args, { execArgv })
  const heard = async () => {
    const gone = new AbortController()
    const exited = once(child, 'exit', { signal: gone.signal }).then(([code]) => {
      throw new Error(`${file} ${args.join(' ')} ended with status ${code}`)
    })
    exited.catch(() => {})
    const [answer] = await Promise.race([once(child, 'message'), exited])
    gone.abort()
    return answer
  }
  const ask = (question) => {
    child.send(question)
    return heard()
  }
  await heard()
  return {
    pid: child.pid,
    ask,
    stop: async () => {
      await ask('close')
      await ended(child, () => child.disconnect())
    },
  }
}
