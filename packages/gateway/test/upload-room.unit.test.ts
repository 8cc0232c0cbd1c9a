import { expect, it } from 'vitest'
import { leaveRoom, takeRoom } from '../src/upload-room.js'

it('is had again by one who needs no more of it, and by one alone', () => {
  const room = takeRoom(1000)
  expect(room).toHaveLength(1000)
  leaveRoom(room)
  expect(takeRoom(1001)).not.toBe(room)
  expect(takeRoom(999)).toBe(room)
  expect(takeRoom(999)).not.toBe(room)
})
