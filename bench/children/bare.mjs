// The least that a process can do: one line in, one line out, with the memory that took.
process.stdin.once('data', () => {
  process.stdout.write(`${JSON.stringify({ memoryMb: process.memoryUsage.rss() / 1e6 })}\n`)
})
process.stdin.on('end', () => process.exit(0))
