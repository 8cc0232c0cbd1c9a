import type { Readable, Writable } from 'node:stream'
import { holdBack, letFlow } from '@appfactory/sdk/wire'

/** Most bytes that may wait for the reader of an output before nothing more is taken in that adds to them. */
const maxUnsentBytes = 16 * 1024 * 1024

/** Undefined where there is room for more; else resolves when there is again. */
export type Room = () => Promise<void> | undefined

/** Whether the reader of `output` keeps up. */
export function roomIn(output: Writable): Room {
  let waiting: Promise<void> | undefined
  return () => {
    if (output.writableLength <= maxUnsentBytes || output.destroyed) return undefined
    waiting ??= new Promise((resolve) => {
      const done = (): void => {
        waiting = undefined
        output.off('drain', done)
        output.off('close', done)
        resolve()
      }
      output.on('drain', done)
      output.on('close', done)
    })
    return waiting
  }
}

/** Leaves what comes next in the pipe of `input` as long as there is no room for what it leads to. */
export function readWithin(room: Room, input: Readable): void {
  input.on('data', () => {
    const freed = room()
    if (!freed) return
    holdBack(input)
    void freed.then(() => letFlow(input))
  })
}
