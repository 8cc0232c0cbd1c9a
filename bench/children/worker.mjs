import { parentPort } from 'node:worker_threads'
import { audio } from './audio.mjs'

parentPort.on('message', ({ id, text, bytes }) => {
  if (bytes) {
    const copy = new Uint8Array(audio)
    parentPort.postMessage({ id, audio: copy }, [copy.buffer])
  } else parentPort.postMessage({ id, text })
})
