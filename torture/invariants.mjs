/** What must hold. The first time that something does not is told; all of it decides the exit status. */
export class Invariants {
  broken = []

  check(holds, text) {
    if (holds) return
    this.broken.push(text)
    if (this.broken.length <= 20) console.error(`torture: BROKEN ${text}`)
  }
}
