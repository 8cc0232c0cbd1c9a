import { defineContract, PluginError } from '@appfactory/sdk'
import { z } from 'zod'

const tree = z.object({
  name: z.string(),
  get children() {
    return z.array(tree)
  },
})

const ThingsContract = defineContract({
  name: 'things',
  version: '1.0.0',
  description: 'Things of a test',
  methods: {
    echo: {
      description: 'Returns what it was given.',
      args: z.strictObject({
        text: z.string(),
        count: z.int().min(0).max(9).optional(),
        flag: z.boolean().optional(),
        tags: z.array(z.string()).optional(),
        either: z.union([z.string(), z.object({ name: z.string() })]).optional(),
      }),
      result: z.looseObject({ text: z.string() }),
      idempotent: true,
    },
    reverse: {
      description: 'Reverses bytes.',
      args: z.strictObject({ data: z.instanceof(Uint8Array), other: z.instanceof(Uint8Array).optional() }),
      result: z.object({ data: z.instanceof(Uint8Array), length: z.int() }),
      idempotent: true,
    },
    depth: {
      description: 'Tells how deep a tree is.',
      args: z.strictObject({ root: tree }),
      result: z.object({ depth: z.int(), deepest: tree }),
      idempotent: true,
    },
    nothing: {
      description: 'Does nothing.',
      args: z.strictObject({}),
      result: z.null(),
      idempotent: true,
    },
    fail: {
      description: 'Fails.',
      args: z.strictObject({ code: z.union([z.string(), z.int()]).optional() }),
      result: z.null(),
    },
    exit: {
      description: 'Ends its process.',
      args: z.strictObject({}),
      result: z.null(),
    },
    hang: {
      description: 'Waits until it is cancelled.',
      args: z.strictObject({}),
      result: z.null(),
    },
    aborts: {
      description: 'Tells how often it was cancelled.',
      args: z.strictObject({}),
      result: z.int(),
      idempotent: true,
    },
    count: {
      description: 'Counts up to a number.',
      kind: 'stream',
      args: z.strictObject({ upTo: z.int().min(0).max(10_000), failAt: z.int().optional() }),
      piece: z.object({ number: z.int() }),
      result: z.array(z.object({ number: z.int() })),
    },
  },
})

/** A contract of its own, with all that a schema may have. */
export default class Things extends ThingsContract {
  #waiting = 0
  #aborts = 0

  async initialize() {}
  async shutdown() {}
  async healthCheck() {
    return { status: this.status, details: { waiting: this.#waiting } }
  }

  async echo(args) {
    return args
  }

  async reverse({ data }) {
    return { data: data.slice().reverse(), length: data.length }
  }

  async depth({ root }) {
    let depth = 0
    let deepest = root
    for (let level = [root]; level.length > 0; level = level.flatMap(({ children }) => children)) {
      depth++
      deepest = level[0]
    }
    return { depth, deepest }
  }

  async nothing() {
    return null
  }

  async fail({ code }) {
    if (code === undefined) throw new Error(`secret ${import.meta.dirname}`)
    throw new PluginError(code, `It failed with ${code}`)
  }

  async exit() {
    process.exit(1)
  }

  hang(_, { signal }) {
    this.#waiting++
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => {
        this.#waiting--
        this.#aborts++
        reject(signal.reason)
      })
    })
  }

  async aborts() {
    return this.#aborts
  }

  async *count({ upTo, failAt }, { signal }) {
    for (let number = 1; number <= upTo; number++) {
      if (number === failAt) throw new PluginError('LLM_RATE_LIMITED', 'Too many numbers')
      if (signal.aborted) return
      yield { number }
    }
  }
}
