import { Worker } from 'node:worker_threads'
import { isPluginError, type JsonSchema } from '@appfactory/sdk'
import { configInvalid, describeThrown, systemCodeOf } from '@appfactory/sdk/internal'
import { checkerFailed, pluginStopping, schemaTooSlow, schemaUnusable } from '../errors.js'
import { within } from '../waiting.js'
import type { Config } from './config.js'
import { checkAgainst, type Verdict } from './schema-check.js'
import { isCheap } from './schema-cost.js'

/** A question to the worker. */
export interface Job {
  schema: JsonSchema
  /** Without it, only the schema is checked. */
  config: Config | undefined
}

/** Progress of the worker. */
export type Progress = { step: Step } | { step: 'done'; verdict: Verdict }

/** The slow steps: compiling the schema, and checking the configuration against it. */
export type Step = 'compile' | 'check'

/** How long the worker may work on one schema and configuration, in ms. */
const defaultDeadlineMs = 2000

/** Memory of the worker, in MB. */
const maxHeapMb = 256

/**
 * Checks configurations against the JSON Schemas of manifests. A foreign schema or pattern can take for ever, so all but
 * plain and small ones are checked in one worker thread, one at a time and with a deadline. The thread starts when it is first
 * needed, and keeps no process alive while idle.
 */
export class SchemaChecker {
  readonly #deadlineMs: number
  #worker: Worker | undefined
  #closed = false
  /** Settled when the worker is free. */
  #free: Promise<unknown> = Promise.resolve()

  /** @param deadlineMs How long one schema and configuration may take. Default: 2,000. */
  constructor({ deadlineMs = defaultDeadlineMs }: { deadlineMs?: number } = {}) {
    this.#deadlineMs = deadlineMs
  }

  /** Starts the worker in advance if it will be needed. */
  prepare(schema: JsonSchema | undefined, config: Config): void {
    if (!schema || this.#worker || this.#closed || isCheap(schema, config)) return
    try {
      this.#start()
    } catch {
      // The check that needs the worker reports the failure.
    }
  }

  /**
   * The complete configuration of a plugin: `config`, with the schema's defaults filled in.
   *
   * @throws PluginError CONFIG_INVALID, naming each path; MANIFEST_INVALID if the schema itself is wrong; either if it takes
   *   too long; REQUEST_CANCELLED if `signal` aborts.
   */
  async complete(
    plugin: string,
    schema: JsonSchema | undefined,
    config: Config,
    signal?: AbortSignal,
  ): Promise<Config> {
    if (!schema) return config
    const verdict = await this.#verdict(plugin, { schema, config }, signal)
    switch (verdict.kind) {
      case 'fits':
        return verdict.config
      case 'misfits':
        throw configInvalid(plugin, verdict.issues, verdict.total)
      case 'unusable':
        throw schemaUnusable(plugin, verdict.reason)
    }
  }

  /** @throws PluginError MANIFEST_INVALID if `schema` is not a JSON Schema, or takes too long to compile. */
  async checkSchema(plugin: string, schema: JsonSchema): Promise<void> {
    const verdict = await this.#verdict(plugin, { schema, config: undefined })
    if (verdict.kind === 'unusable') throw schemaUnusable(plugin, verdict.reason)
  }

  /** Ends the worker; waiting checks fail. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#end()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #verdict(plugin: string, job: Job, signal?: AbortSignal): Promise<Verdict> {
    if (isCheap(job.schema, job.config)) return this.#check(plugin, job)
    const turn = this.#free.then(() => this.#ask(plugin, job, signal))
    this.#free = turn.catch(() => {})
    return within(turn, { signal })
  }

  #check(plugin: string, { schema, config }: Job): Verdict {
    try {
      return checkAgainst(schema, config)
    } catch (error) {
      throw this.#explain(plugin, error)
    }
  }

  #start(): Worker {
    // Resolves to `dist` both from there and from the source.
    const worker = new Worker(new URL('../../dist/config/schema-worker.js', import.meta.url), {
      name: 'config schemas',
      env: {},
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    })
    // Avoids an uncaught error of an idle worker; checks have their own listeners.
    worker.on('error', () => {})
    worker.once('exit', () => {
      if (this.#worker === worker) this.#worker = undefined
    })
    worker.unref()
    this.#worker = worker
    return worker
  }

  async #end(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    await worker?.terminate()
  }

  /** Asks the idle worker. */
  async #ask(plugin: string, job: Job, signal?: AbortSignal): Promise<Verdict> {
    if (this.#closed || signal?.aborted) throw pluginStopping(plugin)
    const question = new Question(this.#deadlineMs)
    const abort = (): void => question.fail(pluginStopping(plugin))
    signal?.addEventListener('abort', abort, { once: true })
    try {
      return await question.put(this.#worker ?? this.#start(), job)
    } catch (error) {
      // It is busy with an abandoned check.
      await this.#end()
      throw this.#closed ? pluginStopping(plugin) : this.#explain(plugin, error)
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  #explain(plugin: string, error: unknown): unknown {
    if (error instanceof TooSlow) return schemaTooSlow(plugin, error.step, this.#deadlineMs)
    if (systemCodeOf(error) === 'ERR_WORKER_OUT_OF_MEMORY')
      return schemaUnusable(plugin, `takes more than ${maxHeapMb} MB to check. Simplify it`)
    return isPluginError(error) ? error : checkerFailed(plugin, describeThrown(error).message)
  }
}

/** The deadline passed in a step. */
class TooSlow extends Error {
  constructor(readonly step: Step) {
    super('too slow')
  }
}

/** One question to the worker. */
class Question {
  readonly #deadlineMs: number
  #settle: { resolve(verdict: Verdict): void; reject(error: unknown): void } | undefined
  #step: Step = 'compile'
  #timer: NodeJS.Timeout | undefined

  constructor(deadlineMs: number) {
    this.#deadlineMs = deadlineMs
  }

  /** Rejects with TooSlow, or with the failure of the worker. */
  async put(worker: Worker, job: Job): Promise<Verdict> {
    worker.on('message', this.#onMessage).on('error', this.fail).on('exit', this.#onExit)
    worker.ref()
    try {
      return await new Promise((resolve, reject) => {
        this.#settle = { resolve, reject }
        worker.postMessage(job)
      })
    } finally {
      clearTimeout(this.#timer)
      worker.unref()
      worker.off('message', this.#onMessage).off('error', this.fail).off('exit', this.#onExit)
    }
  }

  readonly fail = (error: unknown): void => this.#settle?.reject(error)

  readonly #onExit = (): void => this.fail(new Error('its thread has ended'))

  readonly #onMessage = (progress: Progress): void => {
    if (progress.step === 'done') {
      this.#settle?.resolve(progress.verdict)
      return
    }
    this.#step = progress.step
    // The start of the thread does not count against the schema.
    this.#timer ??= setTimeout(() => this.#expire(), this.#deadlineMs)
  }

  /** If the host itself was busy, messages that have arrived meanwhile are read first. */
  #expire(): void {
    setImmediate(() => this.fail(new TooSlow(this.#step)))
  }
}
