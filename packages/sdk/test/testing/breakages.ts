import { setTimeout as delay } from 'node:timers/promises'
import { isPluginError, type PluginBase } from '@appfactory/sdk'
import { type CheckTarget, classTarget } from '@appfactory/sdk/testing'

type Method = (this: object, ...args: unknown[]) => unknown
type PluginClass = new () => PluginBase<never>

/** A way to break one method: gets the method as it is, returns the broken one. */
export type Breakage = (whole: Method) => Method

/** A class of which one method is broken. */
export function broken(good: PluginClass, method: string, breakage: Breakage): CheckTarget {
  class Mutant extends (good as new () => object) {}
  const whole = Reflect.get(good.prototype, method) as Method
  Reflect.set(Mutant.prototype, method, breakage(whole))
  return classTarget(Mutant as PluginClass)
}

/** A plugin that answers where it should refuse, as one without the SDK's checks might. */
export function lax(good: PluginClass, wire: string, refusal: string): CheckTarget {
  const target = classTarget(good)
  return {
    ...target,
    start: async (config) => {
      const plugin = await target.start(config)
      const call = plugin.call.bind(plugin)
      plugin.call = (method, args, options) =>
        call(method, args, options).catch((error: unknown) => {
          if (method === wire && isPluginError(error) && error.codeName === refusal) return null
          throw error
        })
      return plugin
    },
  }
}

const isLong = (args: readonly unknown[]): boolean =>
  args.some((arg) => {
    if (arg instanceof Uint8Array) return arg.length > 100_000
    if (typeof arg === 'string') return arg.length > 200
    return typeof arg === 'object' && arg !== null && /"maxTokens":512|[\w ]{200}/.test(JSON.stringify(arg))
  })

/** Computes without a pause, as native code or a long loop does. */
function block(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

/** Breakages that hold up all else in this process: mutants with them can't be run side by side. */
export const blocking = {
  call: (whole) =>
    async function (...args) {
      if (isLong(args)) block(1200)
      return whole.apply(this, args)
    },
  stream: (whole) =>
    async function* (...args) {
      if (isLong(args)) block(1200)
      yield* whole.apply(this, args) as Pieces
    },
} satisfies Record<string, Breakage>

/** Breakages of a method that answers once. */
export const calls = {
  result: () => () => 42,
  errors: (whole) =>
    async function (...args) {
      if (JSON.stringify(args).includes('no-such-value')) throw new Error('unforeseen')
      return whole.apply(this, args)
    },
  concurrent: (whole) => {
    let last: unknown[] = []
    return async function (...args) {
      last = args
      await delay(5)
      return whole.apply(this, last)
    }
  },
  cancel: (whole) =>
    async function (...args) {
      if (isLong(args)) await delay(1500)
      return whole.apply(this, args)
    },
} satisfies Record<string, Breakage>

type Pieces = AsyncIterable<unknown>

/** Breakages of a method that answers in pieces. */
export const streams = {
  result: () =>
    // biome-ignore lint/correctness/useYield: it fails before its first piece.
    async function* () {
      throw new Error('broken')
    },
  errors: (whole) =>
    async function* (...args) {
      if (JSON.stringify(args).includes('no-such-value')) throw new Error('unforeseen')
      yield* whole.apply(this, args) as Pieces
    },
  concurrent: (whole) => {
    let last: unknown[] = []
    return async function* (...args) {
      last = args
      await delay(5)
      yield* whole.apply(this, last) as Pieces
    }
  },
  cancel: (whole) =>
    async function* (...args) {
      if (isLong(args)) await delay(1500)
      yield* whole.apply(this, args) as Pieces
    },
  return: (whole) =>
    async function* (...args) {
      const { signal } = args.at(-1) as { signal: AbortSignal }
      // Cancelled before its first piece it does nothing wrong.
      await delay(60, undefined, { signal })
      let isDone = false
      try {
        for await (const piece of whole.apply(this, args) as Pieces) {
          yield piece
          await delay(20)
        }
        isDone = true
      } finally {
        if (!isDone) await delay(1500)
      }
    },
} satisfies Record<string, Breakage>

/** Each piece as an object, changed. */
export function changing(change: (piece: Record<string, unknown>, index: number) => unknown): Breakage {
  return (whole) =>
    async function* (...args) {
      let index = 0
      for await (const piece of whole.apply(this, args) as Pieces) {
        const object = typeof piece === 'string' ? { text: piece } : { ...(piece as Record<string, unknown>) }
        yield change(object, index++)
      }
    }
}
