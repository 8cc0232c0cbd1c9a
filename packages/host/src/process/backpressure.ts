import type { Readable, Writable } from 'node:stream'
import { holdBack, letFlow } from '@appfactory/sdk/wire'

import { waitUntil } from '../waiting.js'

/** Most bytes that may wait, for the reader of an output or for their turn, before what adds to them is left in its pipe. */
const maxUnsentBytes = 16 * 1024 * 1024

/** Most bytes of requests that wait for their turn. */
export const maxHeldBytes = 4 * maxUnsentBytes

/**
 * How long an input is left alone while just too much waits, in ms; ever longer the more it is. Then a little of it is read all the
 * same: what ends a call that others wait for, a cancel or credit, may be among what comes next.
 */
const shortestPauseMs = 50

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

/** Whether little enough waits. Looks at it from time to time, and resolves after a while also where it does not get less. */
export function roomBelow(waiting: () => number): Room {
  let pause: Promise<void> | undefined
  const isFree = (): boolean => waiting() <= maxUnsentBytes
  return () => {
    if (isFree()) return undefined
    const pauseMs = shortestPauseMs * (waiting() / maxUnsentBytes) ** 4
    pause ??= waitUntil(isFree, pauseMs).then(() => {
      pause = undefined
    })
    return pause
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
