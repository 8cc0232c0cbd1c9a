// A thread that sees the end of a process by itself: the thread of the host learns of it later.
import { readFileSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'

const pause = new Int32Array(new SharedArrayBuffer(4))

parentPort.on('message', (pid) => {
  while (runs(pid)) Atomics.wait(pause, 0, 0, 0.5)
  parentPort.postMessage(performance.timeOrigin + performance.now())
})

function runs(pid) {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
