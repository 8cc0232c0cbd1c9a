const children = new Set()

process.once('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

/** Makes a process end with this one, whatever happens here. */
export function endWithThis(child) {
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}
