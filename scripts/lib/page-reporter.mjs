// What `npm test` prints: each failure in full, how far the run is every half minute, and the sums. `vitest` alone shows more.
import { DefaultReporter } from 'vitest/node'

const intervalMs = 30_000

export default class PageReporter extends DefaultReporter {
  #files = 0
  #done = 0
  #tests = 0
  #reported = performance.now()

  onTestRunStart(specifications) {
    super.onTestRunStart(specifications)
    this.#files = specifications.length
  }

  onTestModuleEnd(module) {
    if (module.state() === 'failed') super.onTestModuleEnd(module)
    this.#done += 1
    this.#tests += [...module.children.allTests()].length
    if (this.isTTY || performance.now() - this.#reported < intervalMs) return
    this.#reported = performance.now()
    this.log(` ${this.#done} of ${this.#files} files, ${this.#tests} tests`)
  }
}
