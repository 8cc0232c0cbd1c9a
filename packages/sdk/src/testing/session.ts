import { MethodCodecs } from '../codec/method-codecs.js'
import type { ContractDescriptor, MethodDescriptor } from '../descriptor.js'
import type { CheckContext } from './check.js'
import { type MethodSamples, SampleSource, type Samples } from './samples.js'
import type { CheckTarget, RunningPlugin } from './target.js'

export interface CheckSessionOptions {
  target: CheckTarget
  contract: ContractDescriptor
  config: Record<string, unknown>
  samples: Samples
  timeoutMs: number
}

/** The instance that checks share, so that an engine is loaded once; after a failure the next check gets a new one. */
export class CheckSession implements CheckContext {
  readonly contract: ContractDescriptor
  readonly timeoutMs: number
  readonly #options: CheckSessionOptions
  readonly #samples: SampleSource
  readonly #codecs = new Map<string, MethodCodecs>()
  #shared: Promise<RunningPlugin> | undefined
  #others: RunningPlugin[] = []
  #notes: string[] = []

  constructor(options: CheckSessionOptions) {
    this.contract = options.contract
    this.timeoutMs = options.timeoutMs
    this.#options = options
    this.#samples = new SampleSource(options.contract, options.samples)
  }

  plugin(): Promise<RunningPlugin> {
    this.#shared ??= this.#start()
    return this.#shared
  }

  async another(): Promise<RunningPlugin> {
    const plugin = await this.#start()
    this.#others.push(plugin)
    return plugin
  }

  async stop(): Promise<void> {
    const shared = this.#shared
    this.#shared = undefined
    const plugin = await shared?.catch(() => undefined)
    await plugin?.stop()
  }

  /** Stops the running instance, even if its shutdown fails or takes long. */
  async discard(): Promise<void> {
    await within(this.timeoutMs, this.stop())
  }

  /** Stops the further instances that the finished check has started. */
  async tidy(): Promise<void> {
    const others = this.#others
    this.#others = []
    await within(this.timeoutMs, Promise.all(others.map((plugin) => plugin.stop())))
  }

  async claims(): Promise<readonly string[] | undefined> {
    return this.#options.target.claims?.()
  }

  note(text: string): void {
    this.#notes.push(text)
  }

  /** The notes since the last query; undefined if there are none. */
  takeNote(): string | undefined {
    const notes = new Set(this.#notes)
    this.#notes = []
    return notes.size === 0 ? undefined : [...notes].join('; ')
  }

  samples(method: MethodDescriptor): MethodSamples {
    return this.#samples.of(method)
  }

  codecs(method: MethodDescriptor): MethodCodecs {
    const known = this.#codecs.get(method.wire) ?? new MethodCodecs(method)
    this.#codecs.set(method.wire, known)
    return known
  }

  #start(): Promise<RunningPlugin> {
    return this.#options.target.start(this.#options.config)
  }
}

/** Waits for work whose failure is reported elsewhere, at most for `timeoutMs`. */
async function within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs)
  })
  await Promise.race([work.catch(() => {}), late])
  clearTimeout(timer)
}
