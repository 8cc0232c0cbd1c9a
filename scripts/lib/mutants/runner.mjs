import { setMaxListeners } from 'node:events'
import { appendFileSync, readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { TestRunner } from 'vitest'

// Vitest listens once more for each repetition.
setMaxListeners(0)

/** A test that takes longer tries no changes: each would take as long. In ms. */
const slowTestMs = 300

const { setTimeout, clearTimeout, setImmediate } = globalThis

/** Written by all runs, read by try.mjs. */
// biome-ignore lint/suspicious/noUndeclaredEnvVars: turbo runs no tests.
const outcomes = process.env.MUTANTS_OUTCOMES

/** A line of the file of outcomes: `noticed`, `tried` or `loaded`, and an id. */
const note = (what, id) => appendFileSync(outcomes, `${what} ${id}\n`)

/** What the instrumented code asks; see make.mjs. One for all test files. */
globalThis.__mutants__ ??= {
  active: undefined,
  /** Switches that were passed in this run, and how many may be: a loop without an end is stopped. */
  steps: 0,
  maxSteps: Number.POSITIVE_INFINITY,
  covered: new Set(),
  /** A run that had to be ended is followed by another, which goes on from there. */
  noticed: new Set([...readFileSync(outcomes, 'utf8').matchAll(/noticed (\d+)/g)].map(([, id]) => id)),
  watch: watchdog(),
  isActive(id) {
    if (++state.steps > state.maxSteps) throw new Error('The change makes a loop without an end')
    return state.active === id
  },
  cover(...ids) {
    if (state.active === undefined) for (const id of ids) state.covered.add(id)
  },
}
const state = globalThis.__mutants__
// What a change left behind may fail later.
for (const event of ['unhandledRejection', 'uncaughtException']) process.on(event, () => {})

/**
 * Runs each test once as it is, to see which changes it comes by, and then once for each of those that no test has noticed
 * yet. Vitest repeats a test, with all its hooks, as long as it is said to have failed.
 */
export default class extends TestRunner {
  #waiting = []
  #begun = 0
  #normal = { ms: 0, steps: 0 }

  onBeforeRunTask(test) {
    test.repeats = 1
    return super.onBeforeRunTask(test)
  }

  async onBeforeTryTask(test, { repeats }) {
    state.steps = 0
    if (repeats === 0) {
      state.active = undefined
      state.maxSteps = Number.POSITIVE_INFINITY
      // What ran before the test has run since its file, or the file before it, was loaded.
      for (const id of state.covered) note('loaded', id)
      state.covered.clear()
    } else {
      state.active = this.#waiting.shift()
      state.maxSteps = 10_000 + 20 * this.#normal.steps
    }
    this.#begun = performance.now()
    if (state.active !== undefined) state.watch(state.active, 10_000 + 20 * this.#normal.ms)
    return super.onBeforeTryTask(test)
  }

  async runTask(test) {
    const work = TestRunner.getTestFn(test)
    if (test.result.repeatCount === 0) return work()
    if (state.active === undefined) return undefined
    return within(500 + 5 * this.#normal.ms, work())
  }

  async onAfterRetryTask(test, { repeats }) {
    const { active: id, steps } = state
    state.active = undefined
    // What the run has left behind may end unchanged.
    state.steps = Number.NEGATIVE_INFINITY
    await new Promise(setImmediate)
    state.watch(-1, 0)
    if (repeats === 0) this.#plan(test, steps)
    else this.#note(test, id)
  }

  /** After the run without a change. */
  #plan(test, steps) {
    this.#normal = { ms: performance.now() - this.#begun, steps }
    for (const id of state.covered) note('tried', id)
    const isCheap = test.result.state === 'pass' && this.#normal.ms < slowTestMs
    this.#waiting = isCheap ? [...state.covered].filter((id) => !state.noticed.has(id)) : []
    state.covered.clear()
    test.retry = Math.max(0, this.#waiting.length - 1)
    test.meta.normal = test.result.state
  }

  #note(test, id) {
    const { result } = test
    if (id !== undefined && result.state === 'fail') {
      state.noticed.add(id)
      note('noticed', id)
    }
    const isOver = this.#waiting.length === 0
    result.state = isOver ? test.meta.normal : 'fail'
    result.errors = isOver ? undefined : [{ message: '' }]
  }
}

/** A thread that ends this process, and notes the change, where one makes it so busy that no timer comes. */
function watchdog() {
  const shared = new Float64Array(new SharedArrayBuffer(16))
  const code = `
    const { appendFileSync } = require('node:fs')
    const { workerData: { shared, file } } = require('node:worker_threads')
    setInterval(() => {
      const [id, deadline] = shared
      if (deadline === 0 || Date.now() < deadline) return
      appendFileSync(file, 'noticed ' + id + '\\n')
      process.kill(process.pid, 'SIGKILL')
    }, 500)`
  new Worker(code, { eval: true, workerData: { shared, file: outcomes } }).unref()
  return (id, ms) => {
    shared[0] = Number(id)
    shared[1] = ms === 0 ? 0 : Date.now() + ms
  }
}

function within(ms, work) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('The change makes the test wait')), ms)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
