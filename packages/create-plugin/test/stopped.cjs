// Loaded before the command: sends it a signal in the middle of its writing, and another while it takes that back.
const fs = require('node:fs/promises')

const { writeFile, rm } = fs
let writes = 0

fs.writeFile = async (...args) => {
  await writeFile(...args)
  if (++writes === 3) await receive(process.env.STOP_AT_WRITE)
}

fs.rm = async (...args) => {
  await receive(process.env.STOP_AT_REMOVAL)
  await rm(...args)
}

/** Resolves once a turn of the event loop has seen the signal. */
async function receive(signal) {
  if (!signal) return
  process.kill(process.pid, signal)
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate)
}
