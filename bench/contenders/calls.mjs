/** Numbers calls and settles them by their number. */
export function callsById(write) {
  const waiting = new Map()
  let lastId = 0
  return {
    send: (params) =>
      new Promise((resolve) => {
        lastId += 1
        waiting.set(lastId, resolve)
        write(lastId, params)
      }),
    settle: (id, result) => {
      waiting.get(id)(result)
      waiting.delete(id)
    },
  }
}

/** Splits text into lines. */
export function lineSplitter(onLine) {
  let rest = ''
  return (chunk) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()
    for (const line of lines) onLine(line)
  }
}

/** Writes the lines of one turn of the event loop together. */
export function lineWriter(output) {
  let pending = []
  return (line) => {
    if (pending.length === 0) {
      process.nextTick(() => {
        output.write(`${pending.join('\n')}\n`)
        pending = []
      })
    }
    pending.push(line)
  }
}
