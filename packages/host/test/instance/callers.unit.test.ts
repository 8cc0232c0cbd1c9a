import { expect, test } from 'vitest'
import { Callers } from '../../src/instance/callers.js'

/** A client that a test makes slow. */
function client() {
  let free = (): void => {}
  let behind: Promise<void> | undefined
  return {
    room: () => behind,
    stop: () => {
      behind = new Promise((resolve) => {
        free = resolve
      })
    },
    catchUp: () => {
      behind = undefined
      free()
    },
  }
}

test('a plugin is read while nobody who is owed an answer is behind', async () => {
  const [callers, slow, quick] = [new Callers(), client(), client()]
  slow.stop()
  callers.observe(quick.room).begun()
  expect(callers.room()).toBeUndefined()
  const call = callers.observe(slow.room)
  expect(callers.room()).toBeUndefined()
  call.begun()
  const freed = callers.room()
  expect(callers.room()).toBe(freed)
  slow.catchUp()
  await freed
  expect(callers.room()).toBeUndefined()
})

test('it is read again after the last call of a client that stays behind', async () => {
  const [callers, slow] = [new Callers(), client()]
  slow.stop()
  const calls = [1, 2].map(() => {
    const call = callers.observe(slow.room)
    call.begun()
    return call
  })
  const freed = callers.room()
  calls[0]?.ended()
  expect(callers.room()).toBe(freed)
  calls[1]?.ended()
  await freed
  expect(callers.room()).toBeUndefined()
  callers.observe(slow.room).begun()
  expect(callers.room()).toBeInstanceOf(Promise)
})

test('it is not read before all have caught up', async () => {
  const [callers, one, other] = [new Callers(), client(), client()]
  for (const slow of [one, other]) {
    slow.stop()
    callers.observe(slow.room).begun()
  }
  let isFreed = false
  void callers.room()?.then(() => {
    isFreed = true
  })
  one.catchUp()
  await new Promise((resolve) => setImmediate(resolve))
  expect(isFreed).toBe(false)
  other.catchUp()
  await expect.poll(() => isFreed).toBe(true)
})
