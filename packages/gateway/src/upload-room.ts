/**
 * Memory for the bytes of a long upload. Fresh memory of that size takes long to fill, and stays until all memory is collected,
 * so the next upload gets what the last one has left, if it is still there.
 */
let spare: WeakRef<Buffer> | undefined

/** Room for so many bytes, or for more. What is in it is anything. */
export function takeRoom(bytes: number): Buffer {
  const room = spare?.deref()
  if (room === undefined || room.length < bytes) return Buffer.allocUnsafeSlow(bytes)
  spare = undefined
  return room
}

/** Nobody may read or write the room from now on, except who takes it next. */
export function leaveRoom(room: Buffer): void {
  spare = new WeakRef(room)
}
