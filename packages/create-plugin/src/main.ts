void start(process.argv.slice(2))

/** The command's code is loaded once there is a folder to be in: parts of it ask for that while they are loaded. */
async function start(argv: readonly string[]): Promise<void> {
  if (isSomewhere()) {
    const { main } = await import('./cli.js')
    return main(argv)
  }
  const message = 'the current folder is not there any more; go to one that is'
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
