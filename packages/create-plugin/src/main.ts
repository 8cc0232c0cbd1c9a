void start(process.argv.slice(2))

/** Checks the current folder before loading the command: parts of it read the folder during import. */
async function start(argv: readonly string[]): Promise<void> {
  if (isSomewhere()) {
    const { main } = await import('./cli.js')
    return main(argv)
  }
  const message = 'the current folder does not exist any more; change to another one'
  if (argv.includes('--json')) process.stdout.write(`${JSON.stringify({ error: { message } }, null, 2)}\n`)
  else process.stderr.write(`create-appfactory-plugin: ${message}\n`)
  process.exitCode = 1
}

function isSomewhere(): boolean {
  try {
    return process.cwd() !== ''
  } catch {
    return false
  }
}
