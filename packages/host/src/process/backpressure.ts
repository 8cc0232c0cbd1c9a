import type { Readable, Writable } from 'node:stream'
import { holdBack, letFlow } from '@appfactory/sdk/internal'

import { waitUntil } from '../waiting.js'

/** Maximum of bytes that wait for the reader of an output or for their turn. Beyond it, inputs are paused. */
export const maxUnsentBytes = 16 * 1024 * 1024

/** Maximum of bytes of requests that wait for their turn. */
export const maxHeldBytes = 4 * maxUnsentBytes

/**
 * How long an input is paused when slightly too much waits, in ms; longer the more waits. Then a little is read anyway: it
 * may contain a cancel or credit that ends a call which others wait for.
 */
const shortestPauseMs = 50

/** Undefined if the stream has room; otherwise resolves when it has drained. */
export type Room = () => Promise<void> | undefined

/** The back-pressure of `output`: whether its reader keeps up. */
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

/** The back-pressure of waiting bytes. Polls, and resolves after a while even if their number does not shrink. */
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

/** Pauses `input` while `room` has none. */
export function readWithin(room: Room, input: Readable): void {
  input.on('data', () => {
    const freed = room()
    if (!freed) return
    holdBack(input)
    void freed.then(() => letFlow(input))
  })
}
