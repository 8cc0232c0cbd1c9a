import { closest } from '../closest.js'
import type { ContractDescriptor } from '../descriptor.js'
import { type Check, CheckFailure } from './check.js'
import { errorText } from './checks/calls.js'
import { checksOf, descriptorOf } from './checks.js'
import type { Samples } from './samples.js'
import { CheckSession } from './session.js'
import type { CheckTarget } from './target.js'

export interface RunChecksOptions {
  /** The plugin: `classTarget(MyPlugin)`, or `pluginTarget(dir)` of `@appfactory/host/testing`. */
  target: CheckTarget
  /** The configuration for `initialize()`; its schema's defaults are filled in. Default: none. */
  config?: Record<string, unknown>
  /** Arguments for the methods: `{ synthesize: { text: 'Hello' } }`. Default: generated from the contract's table. */
  samples?: Samples
  /** Ids of checks, `*` standing for anything: `tts.*`. Default: all. */
  only?: readonly string[]
  /** An abort ends the run before the next check; the others are missing from the report. */
  signal?: AbortSignal
  /** Longest time that one call may take, in ms. Default: 30,000. */
  timeoutMs?: number
  /** Called before each check. */
  onStart?(check: Check): void
  /** Called after each check. */
  onResult?(result: CheckResult): void
}

export type CheckStatus = 'passed' | 'failed' | 'skipped' | 'blocked'

/** The result of one check. */
export interface CheckResult {
  id: string
  title: string
  /** `skipped`: the plugin has not the capability. `blocked`: a check that it builds on has failed. */
  status: CheckStatus
  /** Why it was skipped or blocked, or the problem. Absent if it has passed. */
  reason?: string
  /** A comparison that a passed check could not make, and why: `not compared: …`. */
  note?: string
  /** The error of a failed check. */
  error?: unknown
  durationMs: number
}

/** Counts, and each result in the order of the checks. */
export interface CheckReport {
  plugin: string
  contract: string
  passed: number
  failed: number
  skipped: number
  blocked: number
  durationMs: number
  results: CheckResult[]
}

export const defaultTimeoutMs = 30_000

/**
 * Runs the checks of a plugin's contract, one after another, on one instance; after a failure on a new one.
 *
 * @throws TypeError where a sample does not fit its method, or `only` means no check.
 */
export async function runChecks(options: RunChecksOptions): Promise<CheckReport> {
  const started = performance.now()
  const run = await CheckRun.prepare(options)
  const results: CheckResult[] = []
  try {
    for (const check of run.checks) {
      if (options.signal?.aborted) break
      options.onStart?.(check)
      const result = await run.do(check)
      results.push(result)
      options.onResult?.(result)
    }
  } finally {
    await run.close()
  }
  const count = (status: CheckStatus): number => results.filter((result) => result.status === status).length
  return {
    plugin: options.target.name,
    contract: run.contract,
    passed: count('passed'),
    failed: count('failed'),
    skipped: count('skipped'),
    blocked: count('blocked'),
    durationMs: performance.now() - started,
    results,
  }
}

/** The checks of one plugin, for a runner that calls them by itself. */
export class CheckRun {
  readonly contract: string
  readonly checks: readonly Check[]
  readonly #session: CheckSession
  /** Ids of checks that have failed, or were blocked. */
  readonly #broken = new Set<string>()

  static async prepare(options: RunChecksOptions): Promise<CheckRun> {
    const { target, config = {}, samples = {}, timeoutMs = defaultTimeoutMs, only } = options
    const contract = await describeOrNothing(target)
    const checks = selectChecks(checksOf(contract), only)
    return new CheckRun(new CheckSession({ target, contract, config, samples, timeoutMs }), checks)
  }

  private constructor(session: CheckSession, checks: readonly Check[]) {
    this.#session = session
    this.contract = session.contract.name
    this.checks = checks
  }

  /** Runs one check. Never throws. */
  async do(check: Check): Promise<CheckResult> {
    const started = performance.now()
    const verdict = await this.#judge(check)
    if (verdict.status === 'failed' || verdict.status === 'blocked') this.#broken.add(check.id)
    return { id: check.id, title: check.title, ...verdict, durationMs: performance.now() - started }
  }

  /** Shuts the plugin down. */
  close(): Promise<void> {
    return this.#session.discard()
  }

  async #judge(check: Check): Promise<Pick<CheckResult, 'status' | 'reason' | 'note' | 'error'>> {
    const before = check.after?.find((id) => this.#broken.has(id))
    if (before) return { status: 'blocked', reason: `${before} has not passed` }
    try {
      const missing = await this.#missingCapability(check)
      if (missing) return { status: 'skipped', reason: missing }
      await check.run(this.#session)
      const note = this.#session.takeNote()
      return { status: 'passed', ...(note === undefined ? {} : { note }) }
    } catch (error) {
      // Leftovers must not affect the next check.
      await this.#session.discard()
      const reason = error instanceof CheckFailure ? error.message : errorText(error)
      return { status: 'failed', reason, error }
    } finally {
      this.#session.takeNote()
      await this.#session.tidy()
    }
  }

  async #missingCapability({ requires }: Check): Promise<string | undefined> {
    if (requires === undefined) return undefined
    const { capabilities } = await this.#session.plugin()
    return capabilities.includes(requires) ? undefined : `${requires} is not among the plugin’s capabilities`
  }
}

/** A plugin whose contract can't be read fails `lifecycle.load`, with the reason. */
async function describeOrNothing(target: CheckTarget): Promise<ContractDescriptor> {
  try {
    return await descriptorOf(await target.describe())
  } catch {
    return { name: 'unknown', version: '0.0.0', description: '', methods: [] }
  }
}

function selectChecks(checks: readonly Check[], only: readonly string[] | undefined): readonly Check[] {
  if (only === undefined || only.length === 0) return checks
  for (const pattern of only)
    if (!checks.some(({ id }) => fits(id, pattern))) throw new TypeError(noCheck(pattern, checks))
  return checks.filter(({ id }) => only.some((pattern) => fits(id, pattern)))
}

function fits(id: string, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.\\+?^${}()|[\]]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(id)
}

function noCheck(pattern: string, checks: readonly Check[]): string {
  const ids = checks.map(({ id }) => id)
  const meant = closest(pattern, ids)
  return `no check is called ${pattern}; ${meant ? `did you mean ${meant}?` : `there is ${ids.join(', ')}`}`
}
